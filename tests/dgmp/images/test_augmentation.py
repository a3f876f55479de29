from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize
from torchvision.transforms.functional import rotate

from dgmp.images.augmentation import ScriptAugmentation, _random_part, augment, center_view

STILL = ScriptAugmentation(32, (1, 1), (1, 1), rotation=0, brightness=0, contrast=0)


def page_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 220, (height, width), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(320, 256), (20, 300), (300, 20), (64, 64), (5, 5)])
def test_shapes(shape):
    rng = np.random.default_rng(0)
    for _ in range(50):
        view = augment(page_of(*shape), rng, ScriptAugmentation(64))
        assert view.shape == (64, 64)
        assert view.dtype == np.uint8
    assert center_view(page_of(*shape), 64).shape == (64, 64)


def test_oracle_without_ranges_a_square_page_is_only_resized():
    page = page_of(64, 64)
    expected = page.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    view = augment(page, np.random.default_rng(0), STILL)
    assert np.abs(view - expected).max() <= 0.5
    np.testing.assert_array_equal(center_view(page, 32), view)


def test_oracle_center_view_of_a_long_page_is_its_middle():
    page = page_of(40, 100)
    np.testing.assert_array_equal(center_view(page, 40), page[:, 30:70])


def test_property_shrinking_does_not_alias():
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    assert np.ptp(center_view(stripes, 64)) <= 1


def test_property_same_generator_same_views():
    page = page_of(120, 90)
    first, second = (
        [augment(page, np.random.default_rng(3), ScriptAugmentation(32)) for _ in range(3)]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(
        first[0], augment(page, np.random.default_rng(4), ScriptAugmentation(32))
    )


def test_oracle_area_and_aspect_lie_in_their_ranges():
    # The tone of a column or row tells where a view begins and ends.
    across = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    settings = ScriptAugmentation(64, (0.2, 0.5), (0.8, 1.25), 0, 0, 0)
    areas, aspects = [], []
    for seed in range(200):
        width, height = (
            float(np.ptp(augment(page, np.random.default_rng(seed), settings))) + 1
            for page in (across, np.ascontiguousarray(across.T))
        )
        areas.append(width * height / 200**2)
        aspects.append(width / height)
    assert 0.18 < min(areas) < 0.25
    assert 0.45 < max(areas) < 0.53
    assert 0.75 < min(aspects) < 0.9
    assert 1.1 < max(aspects) < 1.35


def test_property_opened_corners_take_the_tone_of_parchment():
    page = np.full((100, 100), 200, np.uint8)
    cv2.line(page, (20, 50), (80, 50), (10,), 4)
    settings = ScriptAugmentation(64, (1, 1), (1, 1), rotation=45, brightness=0, contrast=0)
    view = augment(page, np.random.default_rng(1), settings)
    assert (view[[0, 0, -1, -1], [0, -1, 0, -1]] == 200).all()


def test_oracle_opened_corners_have_the_median_tone():
    only_rotation = ScriptAugmentation(64, (1, 1), (1, 1), rotation=45, brightness=0, contrast=0)
    page = np.where(page_of(64, 64) < 150, np.uint8(31), np.uint8(200))
    view = augment(page, np.random.default_rng(1), only_rotation)
    assert view[0, 0] == np.median(page)


def test_oracle_brightness_and_contrast():
    page = page_of(64, 64)
    bright = ScriptAugmentation(64, (1, 1), (1, 1), rotation=0, brightness=0.1, contrast=0)
    contrasted = ScriptAugmentation(64, (1, 1), (1, 1), rotation=0, brightness=0, contrast=0.1)
    for seed in range(20):
        ratio = augment(page, np.random.default_rng(seed), bright).mean() / page.mean()
        assert 0.895 < ratio < 1.105
        view = augment(page, np.random.default_rng(seed), contrasted)
        assert view.mean() == pytest.approx(page.mean(), abs=1)
        assert 0.89 < view.std() / page.std() < 1.11


@pytest.mark.parametrize("shape", [(320, 256), (211, 300), (301, 64), (64, 64), (1000, 701)])
def test_oracle_bilinear_center_view_is_torchvisions(shape):
    page = page_of(*shape)
    torchvisions = Compose([Resize(64), CenterCrop(64)])
    expected = np.asarray(torchvisions(Image.fromarray(page)))
    np.testing.assert_array_equal(center_view(page, 64, "bilinear"), expected)


def test_oracle_bilinear_part_is_pils():
    page = page_of(90, 70)
    settings = replace(STILL, resampling="bilinear")
    for seed in range(5):
        top, left, height, width = _random_part(page.shape, np.random.default_rng(seed), settings)
        part = Image.fromarray(page).crop((left, top, left + width, top + height))
        expected = part.resize((32, 32), Image.Resampling.BILINEAR)
        view = augment(page, np.random.default_rng(seed), settings)
        np.testing.assert_array_equal(view, np.asarray(expected))


def test_oracle_nearest_rotation_with_black_corners_is_torchvisions():
    # Larger than a pixel, so that the choice of the nearest one shows at borders alone.
    page = np.kron(page_of(16, 16), np.ones((8, 8), np.uint8))
    settings = ScriptAugmentation(
        128, (1, 1), (1, 1), 5, 0, 0, rotation_sampling="nearest", corners="black"
    )
    for seed in range(5):
        view = augment(page, np.random.default_rng(seed), settings)
        views = [
            np.asarray(rotate(Image.fromarray(page), degrees)) for degrees in np.arange(-5, 5, 0.1)
        ]
        assert max((view == other).mean() for other in views) > 0.97
        assert set(np.unique(view)) <= {0, *np.unique(page)}
        assert (view == 0).any()
    parchment = augment(page, np.random.default_rng(0), replace(settings, corners="parchment"))
    assert not (parchment == 0).any()
    linear = augment(page, np.random.default_rng(0), replace(settings, rotation_sampling="linear"))
    assert not set(np.unique(linear)) <= {0, *np.unique(page)}


def test_oracle_jitter_in_both_orders():
    # Bright enough that brightness turns tones white, where the orders differ.
    page = np.random.default_rng(0).integers(180, 256, (32, 32), dtype=np.uint8)
    settings = replace(STILL, brightness=0.1, contrast=0.1, jitter="shuffled")
    seen = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        _random_part(page.shape, rng, settings)
        rng.uniform(0, 0)
        brightness, contrast = (1 + rng.uniform(-0.1, 0.1) for _ in range(2))
        bright = (brightness * page).clip(0, 255)
        first = (contrast * (bright - bright.mean()) + bright.mean()).clip(0, 255)
        other = (contrast * (page - page.mean()) + page.mean()).clip(0, 255) * brightness
        view = augment(page, np.random.default_rng(seed), settings).astype(float)
        errors = [np.abs(view - expected.clip(0, 255)).max() for expected in (first, other)]
        # Where no tone turns white the orders are one; the mean of white tones is a bound.
        assert min(errors) < 1.5
        if max(errors) > 2.5:
            seen.add(int(np.argmin(errors)))
        ordered = augment(
            page, np.random.default_rng(seed), replace(settings, jitter="brightness-first")
        )
        assert np.abs(ordered - first).max() < 1.5
    assert seen == {0, 1}
