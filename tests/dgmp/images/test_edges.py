import cv2
import numpy as np
import pytest

from dgmp.images.edges import edge_map


def text_page() -> np.ndarray:
    page = np.full((600, 500), 255, np.uint8)
    for y in range(60, 560, 60):
        for x, radius in zip(range(40, 460, 30), range(4, 18), strict=True):
            cv2.ellipse(page, (x, y), (radius, 18), 20, 0, 300, (0,), 5)
    return page


def test_oracle_a_step_has_one_edge_along_it():
    page = np.full((60, 60), 255, np.uint8)
    page[:, 30:] = 0
    edges = edge_map(page, sigma=2)
    assert (edges[1:-1].sum(axis=1) == 1).all()
    assert set(np.nonzero(edges)[1]) <= {29, 30}


@pytest.mark.parametrize("sigma", [1, 3])
def test_oracle_agrees_with_scikit_image(sigma):
    feature = pytest.importorskip("skimage.feature", reason="scikit-image is not installed")
    page = text_page()
    ours, theirs = edge_map(page, sigma=sigma), feature.canny(page, sigma=sigma)
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.1)
    near = cv2.dilate(theirs.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert (ours & near).sum() > 0.98 * ours.sum()


def test_property_blank_pages_and_the_rim_have_no_edges():
    assert not edge_map(np.full((20, 30), 255, np.uint8), sigma=1).any()
    edges = edge_map(np.random.default_rng(0).integers(0, 256, (9, 9), dtype=np.uint8), sigma=1)
    assert edges.dtype == bool
    assert edges.shape == (9, 9)
    assert not edges[[0, -1]].any()
    assert not edges[:, [0, -1]].any()


def test_property_values_are_true_booleans():
    # A bool view of 255 counts as 255 in sums over bytes.
    assert edge_map(text_page(), sigma=1).view(np.uint8).max() == 1


def test_property_thresholds_order():
    page = cv2.GaussianBlur(text_page(), (0, 0), 4)
    counts = [edge_map(page, sigma=1, low=t / 2, high=t).sum() for t in (0.1, 0.4, 0.8, 4)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] == 0


def test_errors():
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        edge_map(text_page(), sigma=0)
    with pytest.raises(ValueError, match="uint8"):
        edge_map(np.zeros((3, 3)), sigma=1)
