from pathlib import Path

import numpy as np
import pytest

from dgmp.images.pages import PageStore, limit_side, write_pages


def some_pages() -> list[tuple[str, str, np.ndarray]]:
    rng = np.random.default_rng(0)
    shapes = {"a.png": (5, 7), "b, ö.png": (9, 4), "c.png": (1, 1)}
    labels = ("NA", "007", "nan")
    return [
        (name, label, rng.integers(0, 256, shape, dtype=np.uint8))
        for (name, shape), label in zip(shapes.items(), labels, strict=True)
    ]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "some.raw", tmp_path / "some.csv"


def test_round_trip_keeps_pixels_names_and_labels_to_the_letter(files):
    assert write_pages(*files, iter(some_pages())) == 3
    store = PageStore(*files)
    assert len(store) == 3
    assert store.pages.tolist() == ["a.png", "b, ö.png", "c.png"]
    assert store.labels.tolist() == ["NA", "007", "nan"]
    for read, (_, _, page) in zip(store, some_pages(), strict=True):
        assert np.array_equal(read, page)
        assert read.dtype == np.uint8
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["some.csv", "some.raw"]


def test_property_views_of_an_array_are_stored_as_they_look(files):
    page = np.arange(48, dtype=np.uint8).reshape(6, 8)
    write_pages(*files, [("t", "x", page.T), ("s", "x", page[::2, 1::3])])
    store = PageStore(*files)
    assert np.array_equal(store[0], page.T)
    assert np.array_equal(store[1], page[::2, 1::3])


def test_indices_and_slices_are_those_of_a_list(files):
    write_pages(*files, some_pages())
    store = PageStore(*files)
    pages = [page for _, _, page in some_pages()]
    assert np.array_equal(store[-1], pages[-1])
    for chosen in (slice(1, None), slice(None, None, -1), slice(5, 9)):
        found = store[chosen]
        assert len(found) == len(pages[chosen])
        assert all(map(np.array_equal, found, pages[chosen]))
    with pytest.raises(IndexError):
        store[3]


def test_no_pages_at_all(files):
    assert write_pages(*files, []) == 0
    store = PageStore(*files)
    assert len(store) == 0
    assert store[:] == []
    assert store.labels.tolist() == []


@pytest.mark.parametrize("missing", [0, 1])
def test_errors_missing_file(files, missing):
    write_pages(*files, some_pages())
    files[missing].unlink()
    with pytest.raises(ValueError, match=f"{files[missing].name} is missing: run the stage patch"):
        PageStore(*files)


@pytest.mark.parametrize("size", [0, 71, 100])
def test_errors_truncated_or_foreign_file(files, size):
    write_pages(*files, some_pages())
    files[0].write_bytes(files[0].read_bytes().ljust(100, b"x")[:size])
    with pytest.raises(ValueError, match=r"some.raw does not hold the pages that .*some.csv lists"):
        PageStore(*files)


def test_errors_an_interrupted_write_leaves_the_old_files(files):
    write_pages(*files, some_pages())
    before = [file.read_bytes() for file in files]

    def interrupted():
        yield some_pages()[0]
        raise OSError("no such page")

    with pytest.raises(OSError, match="no such page"):
        write_pages(*files, interrupted())
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("side", [None, 10, 11])
def test_a_small_page_is_left_as_it_is(side):
    page = np.zeros((10, 20), np.uint8)
    assert limit_side(page, side) is page


def test_the_shorter_side_of_a_large_page_is_limited():
    page = np.tile(np.array([[0, 255]], np.uint8), (30, 40))
    small = limit_side(page, 15)
    assert small.shape == (15, 40)
    # Averaging, no aliasing: fine stripes become grey.
    assert abs(small.astype(int) - 127.5).max() <= 1
    assert limit_side(page.T, 15).shape == (40, 15)
