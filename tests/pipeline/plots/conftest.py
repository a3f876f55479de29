"""The made-up project with all that figures are drawn from."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from dgmp.encoding import VLAD, PowerNorm, cosine_distances, save
from dgmp.images.reading import write_bilevel
from dgmp.learning.backbones.base import Backbone
from dgmp.learning.backbones.registry import build_backbone
from dgmp.learning.models import DescriptorNet, Standardize, trained_state
from dgmp.pooling.layers import DGMP
from pipeline.evaluation.comparison_tests import Comparison
from pipeline.evaluation.systems import system_cell
from pipeline.shared.page_lists import Page, write_pages
from pipeline.shared.settings.systems import STEPS
from pipeline.systems.local_store import LocalStore, write_store

CELL, PATCH, TRAINABLE = "writers-dgmp-1k-m01", 32, 2


def starting_network() -> Backbone:
    torch.manual_seed(0)
    return build_backbone("narrow", 2, last_stride=1)


def tiny_network() -> DescriptorNet:
    """A trained network: its last blocks are not those that it started with."""
    trunk, tail = starting_network().split(TRAINABLE)
    for weight in tail.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    preparation = torch.nn.Sequential(Standardize(0.8, 0.4), trunk)
    return DescriptorNet(preparation, tail, DGMP(123.0)).eval()


@pytest.fixture
def scored(project):
    """The project with a score of every run on writers: 60, 60.5, 61, … in the order of cells."""
    seeds = project.params.active.writers.seeds
    names = [name for name, cell in project.params.cells.items() if cell.task == "writers"]
    rows = [(name, seed) for name in names for seed in seeds]
    scores = pd.DataFrame(rows, columns=["cell", "seed"])
    (project.data / "evaluate").mkdir()
    scores = scores.assign(mAP=60 + 0.5 * scores.index)
    # And 50, 51, … of the starting network.
    rows = project.params.untrained.items()
    started = [name for name, cell in rows if cell.task == "writers"]
    untrained = pd.DataFrame({"cell": started, "seed": 0, "mAP": 50.0 + np.arange(len(started))})
    scores = pd.concat([scores, untrained], ignore_index=True)
    scores.to_csv(project.data / "evaluate" / "scores.csv", index=False)
    (project.data / "compare").mkdir()
    systems = pd.DataFrame(
        [
            Comparison(
                system_cell(name, step), "mAP", score, score - 3, score + 1, 24, 8, "writers"
            )
            for place, name in enumerate(project.params.systems)
            for score in (90.0 - 5 * place,)
            for step, score in zip(STEPS, score + np.arange(4), strict=True)
        ]
    )
    systems.to_csv(project.data / "compare" / "comparisons.csv", index=False)
    return project


@pytest.fixture
def described(pages):
    """The project with local descriptors of its test pages, two writers a hand, and an encoder."""
    folder = pages.data / "encode" / "sift-gmp"
    with np.load(folder / "seed0.npz") as archive:
        arrays = dict(archive)
    rng = np.random.default_rng(1)
    labels, hands = sorted(set(arrays["labels"])), rng.integers(0, 99, (4, 128))
    listed = [
        Page(str(file), str(label), "test")
        for file, label in zip(arrays["files"], arrays["labels"], strict=True)
    ]
    store = pages.data / "describe" / "writers"
    store.mkdir(parents=True)
    write_store(
        store,
        listed,
        (
            {
                "sift": (
                    hands[labels.index(page.label) // 2] + rng.integers(0, 99, (30, 128))
                ).astype(np.uint8),
                "positions": (rng.random((30, 2)) * [70, 100]).astype(np.float32),
                "sizes": rng.uniform(1, 6, 30).astype(np.float32),
            }
            for page in listed
        ),
    )
    local = LocalStore(store, ("test",))
    vlad = VLAD(centres=3, pooling="gmp", residuals="unit", least=10).fit(local)
    save(vlad, folder / "encoder")
    arrays["raw"] = cosine_distances(PowerNorm(0.5).transform(vlad.transform(local)))
    np.savez(folder / "seed0.npz", **arrays)
    return pages


@pytest.fixture
def pages(project):
    """The project with the pages of its predictions, grey and binary, and a network's weights."""
    project.set("profiles.scribes.backbone", {"name": "narrow", "width": 2})
    project.set("profiles.scribes.patches.size", PATCH)
    project.set("profiles.scribes.writers.last_stride", 1)
    project.set("profiles.scribes.writers.trainable", TRAINABLE)
    save_file(trained_state(tiny_network()), project.run(CELL, "seed0.safetensors"))
    (project.data / "weights").mkdir()
    save_file(starting_network().state_dict(), project.data / "weights/backbone.safetensors")
    (project.data / "patches/writers").mkdir(parents=True)
    summary = json.dumps({"mean": 0.8, "sd": 0.4, "size": PATCH})
    (project.data / "patches/writers/summary.json").write_text(summary, encoding="utf-8")
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
