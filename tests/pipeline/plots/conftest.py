"""The made-up project with all that figures are drawn from."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from dgmp.images.reading import write_bilevel
from dgmp.learning.models import DescriptorNet, Standardize, build_backbone
from dgmp.pooling.layers import DGMP
from pipeline.shared.page_lists import Page, write_pages

CELL, PATCH = "writers-dgmp-1k-m01", 32


def tiny_network() -> DescriptorNet:
    torch.manual_seed(0)
    backbone = build_backbone("narrow", 2, last_stride=1)
    return DescriptorNet(Standardize(0.8, 0.4), backbone, DGMP(123.0)).eval()


@pytest.fixture
def scored(project):
    """The project with a score of every run on writers: 60, 60.5, 61, … in the order of cells."""
    seeds = project.params.active.writers.seeds
    names = [name for name, cell in project.params.cells.items() if cell.task == "writers"]
    rows = [(name, seed) for name in names for seed in seeds]
    scores = pd.DataFrame(rows, columns=["cell", "seed"])
    (project.data / "evaluate").mkdir()
    scores = scores.assign(mAP=60 + 0.5 * scores.index)
    scores.to_csv(project.data / "evaluate" / "scores.csv", index=False)
    return project


@pytest.fixture
def pages(project):
    """The project with the pages of its predictions, grey and binary, and a network's weights."""
    project.set("profiles.scribes.backbone.width", 2)
    project.set("profiles.scribes.patches.size", PATCH)
    save_file(tiny_network().state_dict(), project.run(CELL, "seed0.safetensors"))
    rng = np.random.default_rng(0)
    for task, name in (
        ("writers", "writers-avg-m01"),
        ("scripts_a", "scripts-a-avg"),
        ("scripts_b", "scripts-b-avg"),
    ):
        with np.load(project.run(name, "seed0.npz")) as arrays:
            named = zip(arrays["files"], arrays["labels"], strict=True)
            test = [Page(str(file), str(label), "test") for file, label in named]
        listed = [Page("pages/none.png", test[0].label, "train"), *reversed(test)]
        for folder in (project.data / "acquire", project.data / "binarize"):
            (folder / "pages").mkdir(parents=True, exist_ok=True)
            write_pages(folder / f"{task}.csv", listed)
            for page in test:
                ink = rng.random((100, 70)) < 0.2
                write_bilevel(folder / page.file, np.where(ink, 0, 255).astype(np.uint8))
    (project.data / "binarize" / "writers.csv").rename(project.data / "binarize" / "pages.csv")
    return project
