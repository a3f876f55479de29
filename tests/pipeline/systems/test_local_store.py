import numpy as np
import pytest

from dgmp.encoding.local_descriptors import root_sift
from pipeline.shared.page_lists import Page
from pipeline.systems.local_store import LocalStore, write_store

SPLITS = ["train", "val", "test", "val"]
PAGES = [Page(f"{i}.png", f"w{i // 2}", split) for i, split in enumerate(SPLITS)]
RNG = np.random.default_rng(0)
COUNTS = (3, 0, 5, 0)


def described(name, width, dtype):
    return [
        {
            name: RNG.integers(1, 200, (n, width)).astype(dtype),
            "positions": RNG.random((n, 2), dtype=np.float32),
            "sizes": RNG.random(n, dtype=np.float32),
        }
        for n in COUNTS
    ]


def test_pages_come_back_by_split(tmp_path):
    written = described("sift", 128, np.uint8)
    assert write_store(tmp_path, PAGES, written).tolist() == list(COUNTS)
    store = LocalStore(tmp_path, ("train", "test"))
    assert store.pages == [PAGES[0], PAGES[2]]
    assert store.counts.tolist() == [3, 5]
    for index, page in enumerate((0, 2)):
        np.testing.assert_array_equal(store[index], root_sift(written[page]["sift"]))
        np.testing.assert_array_equal(store.read("positions", index), written[page]["positions"])
    assert [len(one) for one in store] == [3, 5]
    assert [one.shape for one in LocalStore(tmp_path, ("val",))] == [(0, 128), (0, 128)]


def test_vectors_are_not_taken_for_sift(tmp_path):
    written = described("vectors", 7, np.float16)
    write_store(tmp_path, PAGES, iter(written))
    found = LocalStore(tmp_path, ("test",))[0]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, written[2]["vectors"].astype(np.float32))


def test_a_task_without_pages(tmp_path):
    assert write_store(tmp_path, [], []).tolist() == []
    assert len(LocalStore(tmp_path, ("train", "val", "test"))) == 0


def test_a_damaged_file_is_named_with_the_remedy(tmp_path):
    folder = tmp_path / "describe" / "writers"
    folder.mkdir(parents=True)
    write_store(folder, PAGES, described("sift", 128, np.uint8))
    file = folder / "descriptors.safetensors"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"descriptors\.safetensors cannot .* describe`$"):
        LocalStore(folder, ("train",))
