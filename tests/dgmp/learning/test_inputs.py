"""What a network reads, against plain indexing of arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dgmp.images.augmentation import ScriptAugmentation, augment, center_view
from dgmp.images.patches import PagePatches, PatchStore, PatchWriter
from dgmp.learning.inputs import (
    Activations,
    ActivationsOfViews,
    AugmentedViews,
    CentralViews,
    Chosen,
    InkPatches,
    stack_views,
)
from dgmp.learning.script_classification import ScriptBatches

CROP = 16
ROWS = ([3], [5, 0, 5], np.array([2, 4]), slice(1, 4), slice(None))


def names(prefix: str, count: int) -> np.ndarray:
    return np.array([f"{prefix}{i}" for i in range(count)])


def activations(count: int, prefix: str = "p", seed: int = 0) -> Activations:
    array = np.random.default_rng(seed).random((count, 3, 2, 4)).astype(np.float16)
    return Activations(array, names(prefix, count), names(f"label-{prefix}", count))


def grey_pages(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, rng.integers(20, 40, 2), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_oracle_activations_are_rows_of_the_array(tmp_path: Path, rows):
    inputs = activations(6)
    np.save(tmp_path / "some.npy", inputs.array)
    mapped = Activations(np.load(tmp_path / "some.npy", mmap_mode="r"), inputs.pages, inputs.labels)
    for one in (inputs, mapped):
        found = one(rows)
        assert found.dtype == torch.float16
        np.testing.assert_array_equal(found.numpy(), inputs.array[rows])
        found.zero_()
    assert inputs.array.all()


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_oracle_patches_are_ink_on_paper(tmp_path: Path, rows):
    ink = np.random.default_rng(0).random((6, 8, 8)) < 0.3
    files = tmp_path / "some.npy", tmp_path / "some.csv"
    with PatchWriter(*files, 8) as writer:
        for page in range(3):
            bits = np.packbits(ink[2 * page : 2 * page + 2], axis=-1)
            found = PagePatches(bits, np.zeros((2, 2), int), np.ones(2, int), False, False)
            writer.add(f"{page}.png", f"w{page}", found)
    inputs = InkPatches(PatchStore(*files))
    np.testing.assert_array_equal(inputs(rows)[:, 0].numpy(), np.where(ink, 0, 1)[rows])
    assert inputs(rows).dtype == torch.uint8
    assert inputs.pages.tolist() == [f"{i}.png" for i in (0, 0, 1, 1, 2, 2)]
    assert inputs.labels.tolist() == [f"w{i}" for i in (0, 0, 1, 1, 2, 2)]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_oracle_central_views(rows):
    pages = grey_pages(6)
    inputs = CentralViews(pages, names("p", 6), names("l", 6), CROP)
    expected = [center_view(pages[i], CROP) / 255 for i in np.arange(6)[rows]]
    np.testing.assert_allclose(inputs(rows)[:, 0].numpy(), expected, rtol=1e-6)


def test_oracle_augmented_views_come_from_their_seeds():
    pages, wanted = grey_pages(4), ScriptAugmentation(CROP)
    inputs = AugmentedViews(pages, names("l", 4), wanted)
    rows, seeds = np.array([2, 0, 2]), np.array([7, 8, 9])
    found = inputs(rows, seeds)
    expected = [augment(pages[2], np.random.default_rng(7), wanted)]
    assert torch.equal(found[:1], stack_views(expected))
    assert torch.equal(inputs(rows[::-1], seeds[::-1]), found.flip(0))
    assert not torch.equal(found[0], found[2])


def test_images_are_tones_between_zero_and_one():
    assert stack_views([np.array([[0, 255]], np.uint8)]).tolist() == [[[[0.0, 1.0]]]]


# Numbered one after the other: 5, none, 1 and 4.
PARTS = (
    activations(5, "a"),
    activations(0, "none"),
    activations(1, "b", 1),
    activations(4, "c", 2),
)


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_oracle_chosen_rows_are_those_of_the_parts_in_a_row(rows):
    whole = np.concatenate([part.array for part in PARTS])
    chosen = np.array([9, 0, 5, 4, 6, 0])
    inputs = Chosen(PARTS, chosen)
    assert inputs.pages.tolist() == ["c3", "a0", "b0", "a4", "c0", "a0"]
    assert inputs.labels.tolist() == [f"label-{page}" for page in inputs.pages]
    found = inputs(rows)
    assert found.dtype == torch.float16
    np.testing.assert_array_equal(found.numpy(), whole[chosen][rows])


def test_errors_no_rows():
    with pytest.raises(ValueError, match="no rows were asked for"):
        Chosen(PARTS, np.array([3, 4]))([])


def of_views(pages: int = 9, views: int = 5) -> ActivationsOfViews:
    """Activations that tell their page and view: 10 * page + view."""
    tens, ones = np.mgrid[:pages, :views]
    array = np.broadcast_to((10 * tens + ones)[..., None, None, None], (pages, views, 2, 1, 1))
    return ActivationsOfViews(array.astype(np.float16), names("l", pages))


def test_property_a_view_of_the_page_is_drawn_from_its_seed_alone():
    inputs, seeds = of_views(), np.arange(300)
    found = inputs(np.zeros(300, int), seeds)[:, 0, 0, 0]
    counts = np.bincount(found.int().numpy(), minlength=5)
    # A fifth each: 60, within four standard deviations.
    assert len(counts) == 5
    assert abs(counts - 60).max() < 28
    rows = np.array([4, 0, 8, 4])
    one = inputs(rows, seeds[:4])
    assert (one[:, 0, 0, 0].numpy() // 10).tolist() == rows.tolist()
    assert torch.equal(one % 10, inputs(np.zeros(4, int), seeds[:4]) % 10)
    assert torch.equal(inputs(rows[::-1], seeds[:4][::-1]), one.flip(0))
    assert torch.equal(inputs(rows.tolist(), seeds[:4]), one)


@pytest.mark.parametrize("threads", [2, 4])
def test_property_threads_do_not_change_the_batches(threads):
    def drawn(threads: int) -> list[list[float]]:
        rng = np.random.default_rng(3)
        batches = ScriptBatches(of_views(), np.arange(9), 2, rng, threads=threads)
        return [x.flatten().tolist() for _ in range(2) for x, _ in batches()]

    assert drawn(threads) == drawn(1)
    assert len(drawn(1)) == 2 * 4
