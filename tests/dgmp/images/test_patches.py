import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmp.images.edges import edge_map
from dgmp.images.patches import (
    PatchStore,
    PatchWriter,
    grid_corners,
    patch_sums,
    select_patches,
)

CUT = {"size": 20, "stride": 12, "sigma": 1}


def page_of(seed: int, height: int = 70, width: int = 90) -> np.ndarray:
    """Blobs of ink on the left, blank on the right."""
    noise = np.random.default_rng(seed).random((height // 5, width // 5)) < 0.4
    noise[:, noise.shape[1] // 2 :] = False
    return np.where(np.kron(noise, np.ones((5, 5), bool)), np.uint8(0), np.uint8(255))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.integers(1, 20))
def test_oracle_grid(height, width, size, stride):
    expected = [
        [y, x]
        for y in range(height)
        for x in range(width)
        if y % stride == x % stride == 0 and y + size <= height and x + size <= width
    ]
    assert grid_corners(height, width, size=size, stride=stride).tolist() == expected


@given(st.integers(0, 99))
def test_oracle_sums_are_those_of_slices(seed):
    mask = np.random.default_rng(seed).random((50, 40)) < 0.3
    corners = grid_corners(50, 40, size=12, stride=5)
    expected = [mask[y : y + 12, x : x + 12].sum() for y, x in corners]
    assert patch_sums(mask, corners, 12).tolist() == expected


@pytest.mark.parametrize("seed", range(5))
def test_oracle_selection_is_strictly_above_the_threshold(seed):
    page = page_of(seed)
    edges = edge_map(page, sigma=1)
    counts = {
        (y, x): edges[y : y + 20, x : x + 20].sum()
        for y in range(0, 51, 12)
        for x in range(0, 71, 12)
    }
    threshold = sorted(counts.values())[len(counts) // 2]
    found = select_patches(page, threshold=threshold, **CUT)
    expected = [corner for corner, count in counts.items() if count > threshold]
    assert [tuple(corner) for corner in found.corners.tolist()] == expected
    assert found.edges.tolist() == [counts[corner] for corner in expected]
    assert not found.padded
    assert not found.below_threshold
    for bits, (y, x) in zip(found.bits, expected, strict=True):
        ink = np.unpackbits(bits, axis=-1, count=20)
        np.testing.assert_array_equal(ink, page[y : y + 20, x : x + 20] == 0)


def test_oracle_fallback_keeps_the_patch_with_most_edges():
    page = page_of(1)
    edges = edge_map(page, sigma=1)
    found = select_patches(page, threshold=10**6, **CUT)
    assert found.below_threshold
    assert len(found.bits) == 1
    corners = [(y, x) for y in [*range(0, 51, 12), 50] for x in [*range(0, 71, 12), 70]]
    most = max(edges[y : y + 20, x : x + 20].sum() for y, x in corners)
    assert found.edges.tolist() == [most]


def test_oracle_fallback_finds_writing_outside_the_grid():
    page = np.full((31, 31), 255, np.uint8)
    page[29, 29] = 0
    found = select_patches(page, size=20, stride=20, sigma=1, threshold=5)
    assert found.below_threshold
    assert found.corners.tolist() == [[11, 11]]
    assert np.unpackbits(found.bits).sum() == 1


@pytest.mark.parametrize("shape", [(10, 15), (10, 70), (70, 10)])
def test_oracle_small_pages_are_padded_with_background(shape):
    page = page_of(3)[: shape[0], : shape[1]]
    found = select_patches(page, threshold=0, **CUT)
    assert found.padded
    first = np.unpackbits(found.bits[0], axis=-1, count=20)
    y, x = found.corners[0]
    part = page[y : y + 20, x : x + 20] == 0
    assert first.sum() == part.sum()


def test_errors_page_without_ink():
    with pytest.raises(ValueError, match="30 x 40 pixels has no ink"):
        select_patches(np.full((30, 40), 255, np.uint8), threshold=3, **CUT)


def write(folder, pages, size=20):
    files = folder / "train.npy", folder / "train.csv"
    cut = CUT | {"size": size}
    with PatchWriter(*files, size) as writer:
        for number, page in enumerate(pages):
            writer.add(f"{number}.png", f"w, {number}", select_patches(page, threshold=20, **cut))
    return PatchStore(*files)


@pytest.mark.parametrize("size", [16, 20])
def test_oracle_store_round_trip(tmp_path, size):
    pages = [page_of(seed) for seed in range(4)]
    store = write(tmp_path, pages, size)
    assert store.size == size
    assert len(store) == len(store.labels) > 4
    for index in np.random.default_rng(0).permutation(len(store)):
        y, x = store.corners[index]
        page = pages[int(store.pages[index].removesuffix(".png"))]
        expected = page[y : y + size, x : x + size] == 0
        np.testing.assert_array_equal(store.read([index])[0], expected)
    assert store.labels[0] == "w, 0"
    assert store.edges.min() > 20
    assert np.load(tmp_path / "train.npy").shape == (len(store), size, (size + 7) // 8)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["train.csv", "train.npy"]


def test_shapes_reads(tmp_path):
    store = write(tmp_path, [page_of(0), page_of(1)])
    everything = store.read(slice(None))
    assert everything.dtype == np.uint8
    assert set(np.unique(everything)) == {0, 1}
    np.testing.assert_array_equal(store.read(np.array([3, 0, 3])), everything[[3, 0, 3]])
    np.testing.assert_array_equal(store.read(slice(1, 4)), everything[1:4])
    assert store.read([]).shape == (0, 20, 20)


def test_shapes_empty_store(tmp_path):
    store = write(tmp_path, [])
    assert len(store) == 0
    assert store.read([]).shape == (0, 20, 20)
    assert store.corners.shape == (0, 2)


def test_errors_store(tmp_path):
    with pytest.raises(ValueError, match=r"absent\.npy is missing: run the stage patches"):
        PatchStore(tmp_path / "absent.npy", tmp_path / "absent.csv")
    write(tmp_path, [page_of(0)])
    index = tmp_path / "train.csv"
    index.write_text("\n".join(index.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ValueError, match="run the stage patches again"):
        PatchStore(tmp_path / "train.npy", index)


def test_errors_an_interrupted_writer_leaves_the_former_files(tmp_path):
    before = write(tmp_path, [page_of(0)]).read(slice(None))
    with pytest.raises(AttributeError):
        write(tmp_path, [page_of(1), "no page"])
    store = PatchStore(tmp_path / "train.npy", tmp_path / "train.csv")
    np.testing.assert_array_equal(store.read(slice(None)), before)
    assert len(list(tmp_path.iterdir())) == 2


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    size=st.integers(1, 20),
    stride=st.integers(1, 20),
    margin=st.sampled_from([0, 7]),
)
def test_oracle_grids_of_the_authors_code(height, width, size, stride, margin):
    # Training: range(0, H - size, stride) by range(0, W - size - 75, stride); test: no strip.
    expected = [
        [top, left]
        for top in range(0, height - size, stride)
        for left in range(0, width - size - margin, stride)
    ]
    found = grid_corners(
        height, width, size=size, stride=stride, margin_right=margin, end="exclusive"
    )
    assert found.tolist() == expected


def test_oracle_a_strip_at_the_right_is_left_out():
    page = page_of(0)
    whole, narrower = (
        select_patches(page, size=20, stride=10, sigma=1, threshold=0, margin_right=margin)
        for margin in (0, 15)
    )
    kept = whole.corners[:, 1] + 20 <= page.shape[1] - 15
    np.testing.assert_array_equal(narrower.corners, whole.corners[kept])
    np.testing.assert_array_equal(narrower.bits, whole.bits[kept])


@pytest.mark.parametrize("shape", [(20, 20), (20, 90), (70, 20), (12, 12)])
def test_fallback_a_page_without_a_grid_still_gives_a_patch(shape):
    found = select_patches(page_of(0, *shape), size=20, stride=10, sigma=1, threshold=0,
                           end="exclusive")  # fmt: skip
    assert len(found.bits) == 1
    assert found.below_threshold
