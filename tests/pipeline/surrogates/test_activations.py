from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from dgmp.encoding.local_descriptors import LocalDescriptors
from dgmp.encoding.surrogates.keypoint_patches import cut_around
from dgmp.encoding.surrogates.network import SurrogateNet, activations
from dgmp.images.reading import read_gray, write_bilevel
from pipeline.activations import main
from pipeline.shared.page_lists import SPLITS, Page, write_pages
from pipeline.systems.local_store import LocalStore, write_store

ROOT = Path(__file__).parents[3]
TOY = {
    "size": 16,
    "sample": 300,
    "classes": 5,
    "dimensions": 8,
    "patches": 120,
    "width": 4,
    "epochs": 2,
    "batch_size": 16,
    "per_page": 40,
}
PAGES = [Page(f"{split}{i}.png", split, split) for split in SPLITS for i in range(2)]
PAGES += [Page("blank.png", "val", "val")]


def a_page(seed: int) -> np.ndarray:
    page = np.full((120, 150), 255, np.uint8)
    rng = np.random.default_rng(seed)
    for left, top in rng.integers(10, 100, (12, 2)):
        page[top : top + rng.integers(4, 20), left : left + rng.integers(4, 20)] = 0
    return page


def project(folder: Path, monkeypatch, *, test_seed: int = 50, **changes: Any) -> Path:
    """The outputs of binarize and describe, and settings, in `folder`; the stage's output."""
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    data = folder / "data/scribes"
    (data / "binarize").mkdir(parents=True)
    described = []
    for number, page in enumerate(PAGES):
        image = a_page(number + (test_seed if page.split == "test" else 0))
        if page.file == "blank.png":
            image[:] = 255
        write_bilevel(data / "binarize" / page.file, image)
        found = LocalDescriptors().describe(image)
        described.append({"sift": found.sift, "positions": found.positions, "sizes": found.sizes})
    write_pages(data / "binarize/pages.csv", PAGES)
    (data / "describe/writers").mkdir(parents=True)
    write_store(data / "describe/writers", PAGES, described)
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = "scribes"
    profile = settings["profiles"]["scribes"] | {"workers": 1}
    profile["surrogates"] = TOY | changes
    settings["profiles"]["scribes"] = profile
    (folder / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return data / "activations"


def test_rehearsal(tmp_path, monkeypatch):
    output = project(tmp_path, monkeypatch)
    main()
    store = LocalStore(output / "writers", SPLITS)
    source = LocalStore(output.parent / "describe/writers", SPLITS)
    assert store.pages == PAGES
    assert store.counts.tolist() == source.counts.clip(max=40).tolist()
    assert store.counts[-1] == 0
    net = SurrogateNet(5, width=4, blocks=1)
    net.load_state_dict(load_file(output / "network.safetensors"))
    for number, page in enumerate(PAGES):
        positions, sizes = store.read("positions", number), store.read("sizes", number)
        kept = [row.tolist() for row in source.read("positions", number)]
        rows = [kept.index(row.tolist()) for row in positions]
        assert rows == sorted(set(rows))
        np.testing.assert_array_equal(sizes, source.read("sizes", number)[rows])
        patches = cut_around(read_gray(output.parent / "binarize" / page.file), positions, 16)
        expected = activations(net, patches)
        np.testing.assert_allclose(store[number], expected, rtol=2e-3, atol=1e-4)
    curve = pd.read_csv(output / "curve.csv")
    assert curve["epoch"].tolist() == [1, 2]
    assert curve["loss"][1] < curve["loss"][0]


def test_the_network_does_not_see_test_pages_and_is_the_same_again(tmp_path, monkeypatch):
    threads = torch.get_num_threads()
    for name, seed in (("a", 50), ("b", 90)):
        project(tmp_path / name, monkeypatch, test_seed=seed)
        main()
    torch.set_num_threads(threads)
    weights = [tmp_path / name / "data/scribes/activations/network.safetensors" for name in "ab"]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 100_000}, "keypoints on 5 training pages are too few for 100000 surrogate"),
        ({"patches": 4}, "4 different patches pass the ratio test, fewer than the 5 surrogate"),
        ({"size": 15}, "profiles.scribes.surrogates.size: .* multiple of 2"),
    ],
)
def test_bad_settings_are_named_with_the_remedy(tmp_path, monkeypatch, changes, message):
    output = project(tmp_path, monkeypatch, **changes)
    with pytest.raises(ValueError, match=message):
        main()
    assert not output.exists()
