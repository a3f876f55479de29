import cv2
import numpy as np
import pytest
from sklearn.base import clone

from dgmp.encoding.local_descriptors import (
    FIRST_BLUR,
    LAYERS,
    LocalDescriptors,
    octave_of,
    root_sift,
)

KINDS = ["upright", "oriented", "contour", "dense"]


def written(height: int = 160, width: int = 220, seed: int = 0) -> np.ndarray:
    """A binary page of curved strokes 4 pixels wide."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width), 255, np.uint8)
    for y in range(25, height - 15, 30):
        for x in range(15, width - 25, 14):
            size = (int(rng.integers(3, 8)), int(rng.integers(4, 10)))
            start, sweep = rng.integers(0, 360), rng.integers(120, 300)
            cv2.ellipse(page, (x, y), size, int(rng.integers(0, 180)), start, start + sweep, 0, 2)
    return page


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_types_and_order(kind):
    page = written()
    local = LocalDescriptors(keypoints=kind, step=4)
    described, again = local.describe(page), local.describe(page.copy())
    n = len(described.sift)
    assert n > 100
    assert described.sift.dtype == np.uint8
    assert described.positions.dtype == described.sizes.dtype == np.float32
    assert described.sift.shape == (n, 128)
    assert described.positions.shape == (n, 2)
    assert described.sizes.shape == (n,)
    assert (described.positions >= 0).all()
    assert (described.positions <= [220, 160]).all()
    for name in ("sift", "positions", "sizes"):
        np.testing.assert_array_equal(getattr(described, name), getattr(again, name))


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_root_sift_by_hand(kind):
    described = LocalDescriptors(keypoints=kind).describe(written())
    for sift, vector in zip(described.sift[:20].tolist(), described.vectors, strict=False):
        expected = [(value / sum(sift)) ** 0.5 for value in sift]
        np.testing.assert_allclose(vector, expected, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(described.vectors, axis=1), 1, rtol=1e-5)


def test_root_sift_of_zeros_is_zero():
    assert not root_sift(np.zeros((2, 128), np.uint8)).any()


def test_oracle_upright_keeps_the_strongest_of_a_pixel_and_no_angle():
    page = written()
    sift = cv2.SIFT.create(contrastThreshold=0.01, edgeThreshold=40, enable_precise_upscale=True)
    strongest: dict[tuple[int, int], cv2.KeyPoint] = {}
    for point in sift.detect(page):
        pixel = (round(point.pt[0]), round(point.pt[1]))
        if pixel not in strongest or point.response > strongest[pixel].response:
            strongest[pixel] = point
    described = LocalDescriptors().describe(page)
    assert {tuple(xy) for xy in described.positions.tolist()} == {
        point.pt for point in strongest.values()
    }
    for point in strongest.values():
        point.angle = 0
    points, values = sift.compute(page, tuple(strongest.values()))
    by_place = {point.pt: value for point, value in zip(points, values, strict=True)}
    for xy, value in zip(described.positions.tolist(), described.sift, strict=True):
        np.testing.assert_array_equal(value, by_place[tuple(xy)])


def test_upright_tells_a_turned_page_apart_and_oriented_does_not():
    page = written(240, 240)
    turned = np.ascontiguousarray(np.rot90(page))

    def nearest(kind: str) -> float:
        a, b = (LocalDescriptors(keypoints=kind).describe(p).vectors for p in (page, turned))
        return float(np.median((a @ b.T).max(axis=1)))

    assert nearest("oriented") > 0.95
    assert nearest("upright") < nearest("oriented") - 0.03


@pytest.mark.parametrize("kind", ["upright", "oriented"])
def test_most_keeps_the_strongest(kind):
    page = written()
    whole = LocalDescriptors(keypoints=kind).describe(page)
    fewer = LocalDescriptors(keypoints=kind, most=50).describe(page)
    np.testing.assert_array_equal(fewer.positions, whole.positions[:50])
    np.testing.assert_array_equal(fewer.sift, whole.sift[:50])


@pytest.mark.parametrize("kind", ["contour", "dense"])
def test_most_is_spread_over_the_page(kind):
    page = written()
    fewer = LocalDescriptors(keypoints=kind, most=60, step=2).describe(page)
    assert len(fewer.sift) <= 60
    assert fewer.positions[:, 1].min() < 40
    assert fewer.positions[:, 1].max() > 110


@pytest.mark.parametrize("kind", ["contour", "dense"])
def test_points_lie_on_ink_and_sizes_follow_the_strokes(kind):
    page = written()
    local = LocalDescriptors(keypoints=kind, step=4)
    described = local.describe(page)
    x, y = described.positions.astype(int).T
    assert (page[y, x] == 0).all()
    if kind == "contour":
        outside = cv2.dilate((page == 255).view(np.uint8), np.ones((3, 3), np.uint8))
        assert outside[y, x].all()
    else:
        assert not (described.positions % 4).any()
    large = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    ratio = local.describe(large).sizes[0] / described.sizes[0]
    assert ratio == pytest.approx(2, rel=0.1)


def test_grey_and_binary_pages_of_the_same_ink_share_their_points():
    page = written()
    grey = np.where(page == 0, np.uint8(70), np.uint8(180))
    grey[0, 0] = 190
    local = LocalDescriptors(keypoints="contour")
    np.testing.assert_array_equal(local.describe(page).positions, local.describe(grey).positions)


@pytest.mark.parametrize("size", np.geomspace(1, 100, 25))
def test_octaves_have_the_blur_of_the_size(size):
    packed = octave_of(size)
    octave, layer = packed & 255, packed >> 8
    octave -= 256 if octave > 127 else 0
    assert octave >= -1
    assert 1 <= layer <= LAYERS
    blur = FIRST_BLUR * 2 ** (octave + layer / LAYERS)
    smallest = FIRST_BLUR * 2 ** (-1 + 1 / LAYERS)
    assert max(size / 2, smallest) / blur == pytest.approx(1, abs=0.13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tone", [0, 128, 255])
def test_even_pages_have_no_descriptors(kind, tone):
    described = LocalDescriptors(keypoints=kind).describe(np.full((50, 70), tone, np.uint8))
    assert described.sift.shape == described.vectors.shape == (0, 128)
    assert described.positions.shape == (0, 2)
    assert described.sizes.shape == (0,)
    assert LocalDescriptors().too_few(described)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (9, 9)])
def test_tiny_pages(kind, shape):
    page = (np.indices(shape).sum(axis=0) % 2 * 255).astype(np.uint8)
    described = LocalDescriptors(keypoints=kind, step=1).describe(page)
    assert described.vectors.shape == (len(described.sift), 128)
    assert np.isfinite(described.vectors).all()


def test_too_few():
    described = LocalDescriptors().describe(written())
    n = len(described.sift)
    assert not LocalDescriptors(least=n).too_few(described)
    assert LocalDescriptors(least=n + 1).too_few(described)


def test_estimator_without_state():
    local = LocalDescriptors(keypoints="oriented", most=40)
    assert clone(local).get_params() == local.get_params()
    pages = [written(seed=1), np.full((30, 30), 255, np.uint8)]
    vectors = local.transform(pages)
    assert [len(page) for page in vectors] == [40, 0]
    np.testing.assert_array_equal(local.fit_transform(pages)[0], vectors[0])
    assert all(page.dtype == np.float32 for page in vectors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": "harris"}, "unknown keypoints 'harris'; known: upright, oriented"),
        ({"most": 0}, "most must be at least 1, got 0"),
        ({"step": 0}, "step must be at least 1, got 0"),
        ({"contrast": -1}, "contrast must not be negative, got -1"),
        ({"edge": float("nan")}, "edge must not be negative, got nan"),
    ],
)
def test_bad_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        LocalDescriptors(**change).describe(written())


@pytest.mark.parametrize("page", [np.zeros((4, 4)), np.zeros((2, 2, 3), np.uint8), np.zeros(0)])
def test_bad_pages(page):
    with pytest.raises(ValueError, match=r"takes pages uint8 \(H, W\)"):
        LocalDescriptors().describe(page)
