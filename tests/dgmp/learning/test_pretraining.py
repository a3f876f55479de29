import numpy as np
import torch

from dgmp.learning.pretraining import CropBatches


def batches(pages: list[np.ndarray], **changes) -> CropBatches:
    wanted = {"crop": 16, "batch": 8, "batches": 3, "rng": np.random.default_rng(0)} | changes
    return CropBatches(pages, np.arange(len(pages)), **wanted)


def noise(*shapes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def test_shapes():
    drawn = list(batches(noise((40, 60), (33, 31)))())
    assert len(drawn) == 3
    for images, labels in drawn:
        assert images.shape == (8, 1, 16, 16)
        assert images.dtype == torch.float32
        assert images.min() >= 0
        assert images.max() <= 1
        assert set(labels.tolist()) <= {0, 1}


def test_pages_smaller_than_a_crop_are_enlarged():
    for images, _ in batches(noise((7, 9)))():
        assert images.shape == (8, 1, 16, 16)


def test_about_half_of_the_views_are_ink_and_paper_only():
    binary = [
        bool(((view == 0) | (view == 1)).all())
        for images, _ in batches(noise((64, 64)), batch=50, batches=8)()
        for view in images
    ]
    assert 0.4 < np.mean(binary) < 0.6


def test_property_labels_stay_with_their_pages():
    dark, light = np.full((40, 40), 10, np.uint8), np.full((40, 40), 245, np.uint8)
    for images, labels in batches([dark, light], batch=40)():
        for view, label in zip(images, labels, strict=True):
            tone = view.mean().item()
            # A view of one tone has nothing for Otsu to split and is all ink or all paper.
            assert tone in (0, 1) or (tone > 0.5) == bool(label)


def test_property_batches_repeat_with_the_seed_and_go_on_within_a_run():
    one, other = (batches(noise((40, 60), (33, 31))) for _ in range(2))
    epochs = [[(x.numpy().tobytes(), *y.tolist()) for x, y in one()] for _ in range(2)]
    assert epochs[0] == [(x.numpy().tobytes(), *y.tolist()) for x, y in other()]
    assert epochs[0] != epochs[1]


def test_property_views_come_at_several_scales():
    # One dark line of 8 pixels a page: its share of the view tells the scale.
    page = np.full((64, 64), 255, np.uint8)
    page[:, ::8] = 0
    tones = {
        round(view.mean().item(), 2)
        for images, _ in batches([page], batch=20)()
        for view in images
        if ((view == 0) | (view == 1)).all()
    }
    assert len(tones) > 3
