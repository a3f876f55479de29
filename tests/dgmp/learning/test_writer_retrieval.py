from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dgmp.images.patches import PagePatches, PatchStore, PatchWriter
from dgmp.learning.backbones.resnet import narrow_resnet
from dgmp.learning.inference import Inference
from dgmp.learning.inputs import InkPatches, to_images
from dgmp.learning.loop import fit, seed_everything
from dgmp.learning.models import DescriptorNet, Standardize
from dgmp.learning.optimizer import OptimizerSettings, build_optimizer
from dgmp.learning.triplet import BatchHardTripletLoss
from dgmp.learning.writer_retrieval import (
    WriterBatches,
    describe_pages,
    retrieval_error,
    triplet_step,
)
from dgmp.metrics import evaluate_retrieval
from dgmp.pooling.registry import build_pooling

CPU = torch.device("cpu")


def patches_of(folder: Path, pages: list[tuple[str, str, np.ndarray]]) -> InkPatches:
    """Patches of (page, writer, ink masks (n, size, size)); pages stay in this order."""
    files = folder / "some.npy", folder / "some.csv"
    with PatchWriter(*files, size=pages[0][2].shape[-1]) as writer:
        for page, label, ink in pages:
            count = len(ink)
            edges, corners = np.zeros(count, int), np.zeros((count, 2), int)
            bits = np.packbits(ink, axis=-1)
            writer.add(page, label, PagePatches(bits, corners, edges, False, False))
    return InkPatches(PatchStore(*files))


@pytest.fixture
def patches(tmp_path: Path) -> InkPatches:
    rng = np.random.default_rng(0)
    return patches_of(
        tmp_path,
        [
            (name, label, rng.integers(0, 2, (count, 12, 12), dtype=np.uint8))
            for name, label, count in [
                ("p9", "b", 4),
                ("p1", "a", 3),
                ("p5", "c", 1),
                ("p2", "a", 5),
            ]
        ],
    )


class Flat(nn.Module):
    """A patch's pixels as its descriptor."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_oracle_page_descriptors_are_means_over_the_pages_patches(patches, batch):
    found = describe_pages(Flat(), patches, Inference(batch))
    expected = {}
    for i, page in enumerate(patches.pages):
        expected.setdefault(page, []).append(1.0 - patches.store.read([i])[0].reshape(-1))
    assert sorted(found.pages) == sorted(expected)
    writers = dict(zip(patches.pages, patches.labels, strict=True))
    for descriptor, page, writer in zip(found.descriptors, found.pages, found.writers, strict=True):
        np.testing.assert_allclose(descriptor, np.mean(expected[page], axis=0), atol=1e-6)
        assert writer == writers[page]
    assert found.descriptors.dtype == np.float32


def test_property_pages_are_ordered_by_name_whatever_the_batch(patches):
    for batch in (1, 5):
        found = describe_pages(Flat(), patches, Inference(batch))
        assert found.pages.tolist() == ["p1", "p2", "p5", "p9"]
        assert found.writers.tolist() == ["a", "a", "c", "b"]


def test_describing_switches_dropout_and_batch_statistics_off(patches):
    net = nn.Sequential(nn.Dropout(0.9), Flat()).train()
    again = [describe_pages(net, patches, Inference(4)).descriptors for _ in range(2)]
    assert np.array_equal(*again)


def test_oracle_retrieval_error(tmp_path):
    dark, light = np.ones((1, 8, 8), np.uint8), np.zeros((1, 8, 8), np.uint8)
    half = np.tile(np.eye(2, dtype=np.uint8), (1, 4, 4))
    # On the line 0 - 32 - 64: "a" finds its own page second from one side, "b" has one page.
    patches = patches_of(tmp_path, [("1", "a", light), ("2", "b", half), ("3", "a", dark)])
    assert retrieval_error(Flat(), patches, Inference(2)) == pytest.approx(50)


def test_errors_no_patches(tmp_path):
    with PatchWriter(tmp_path / "some.npy", tmp_path / "some.csv", size=8):
        pass
    empty = InkPatches(PatchStore(tmp_path / "some.npy", tmp_path / "some.csv"))
    with pytest.raises(ValueError, match="no patches to describe"):
        describe_pages(Flat(), empty, Inference(2))


def batches(inputs: InkPatches, **changes) -> WriterBatches:
    wanted = {"writers": 3, "patches": 2, "batches": 4, "rng": np.random.default_rng(0)} | changes
    return WriterBatches(inputs, **wanted)


def test_shapes_of_batches(patches):
    drawn = list(batches(patches)())
    assert len(drawn) == 4
    for images, labels in drawn:
        assert images.shape == (6, 1, 12, 12)
        assert images.dtype == torch.uint8
        assert set(images.unique().tolist()) == {0, 1}
        assert Counter(labels.tolist()) == {0: 2, 1: 2, 2: 2}


def test_property_images_belong_to_their_writers(patches):
    names = np.unique(patches.labels)
    images = to_images(patches.store.read(slice(None)))
    pixels = {image.numpy().tobytes(): i for i, image in enumerate(images)}
    for images, labels in batches(patches)():
        for image, label in zip(images, labels, strict=True):
            assert patches.labels[pixels[image.numpy().tobytes()]] == names[label]


def test_number_of_batches_that_the_patches_fill(patches):
    assert len(list(batches(patches, batches=None)())) == 13 // 6
    # The authors' loop: another batch while fewer than all patches are counted after it.
    for size, expected in ((12, 1), (13, 1), (4, 3)):
        count = drawn = 0
        while count + size < len(patches.labels):
            count, drawn = count + size, drawn + 1
        found = batches(patches, batches=None, writers=2, patches=size // 2)
        assert len(list(found())) == max(1, drawn) == expected
    assert len(list(batches(patches, batches=None, patches=50)())) == 1


def test_property_batches_repeat_with_the_seed_and_go_on_within_a_run(patches):
    one, other = batches(patches), batches(patches)
    epochs = [[x.numpy().tobytes() for x, _ in one()] for _ in range(2)]
    assert epochs[0] == [x.numpy().tobytes() for x, _ in other()]
    assert epochs[0] != epochs[1]


def test_paper_is_one_and_ink_is_zero():
    images = to_images(np.array([[[1, 0], [0, 0]]], np.uint8))
    assert images.tolist() == [[[[0, 1], [1, 1]]]]


def stripes(rng: np.random.Generator, count: int, writer: str) -> np.ndarray:
    """Noisy stripes of random phase: "a" across, "b" down."""
    ink = np.zeros((count, 32, 32), np.uint8)
    for patch in ink:
        lines = np.arange(32) + rng.integers(8)
        patch[:] = (lines % 8 < 3)[:, None]
        patch[rng.random((32, 32)) < 0.35] ^= 1
    return ink if writer == "a" else ink.transpose(0, 2, 1).copy()


def test_smoke_two_directions_of_stripes_are_learned(tmp_path):
    rng = seed_everything(0)
    pages = [(f"{w}{n}", w, stripes(rng, 4, w)) for n in range(6) for w in "ab"]
    patches = patches_of(tmp_path, pages)
    net = DescriptorNet(Standardize(0.5, 0.5), narrow_resnet(2), build_pooling("dgmp"))
    untrained = retrieval_error(net, patches, Inference(16))
    history = fit(
        net,
        build_optimizer(net, OptimizerSettings(0.003, 0.00001)),
        epochs=12,
        decay_start=12,
        batches=batches(patches, writers=2, patches=8, batches=3, rng=rng),
        step=partial(triplet_step, BatchHardTripletLoss(0.2)),
        validate=lambda net: retrieval_error(net, patches, Inference(16)),
        accelerator=Accelerator(cpu=True),
    )
    assert retrieval_error(net, patches, Inference(16)) == history.best_error
    assert history.best_error < min(5, untrained)
    assert untrained > 15
    row = history.epochs[0]
    assert 0 < row.active_triplets <= 1
    assert row.spread > 0


def test_retrieval_error_by_the_cosine(patches):
    described = describe_pages(Flat(), patches, Inference(4))
    for distance in ("sqeuclidean", "cosine"):
        scores = evaluate_retrieval(described.descriptors, described.writers, distance=distance)
        found = retrieval_error(Flat(), patches, Inference(4), distance=distance)
        assert found == 100 - scores.mean_average_precision
