import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from dgmp.images.augmentation import ScriptAugmentation
from dgmp.learning.inputs import AugmentedViews
from dgmp.learning.loading import load_ahead, pinned
from dgmp.learning.processes import Processes
from dgmp.learning.script_classification import ScriptBatches


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_property_order_is_kept_whichever_is_ready_first(threads: int, count: int) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.002 * (item % 3 == 0))
        return item * item

    assert list(load_ahead(slow_first, range(count), threads=threads)) == [
        item * item for item in range(count)
    ]


def test_property_loading_goes_on_during_use_and_not_too_far_ahead() -> None:
    loaded: list[int] = []
    results = load_ahead(lambda item: loaded.append(item) or item, range(100), threads=2)
    assert next(results) == 0
    deadline = time.monotonic() + 10
    while len(loaded) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(loaded) == 5
    results.close()


def test_errors_reach_the_user_and_threads_end() -> None:
    def failing(item: int) -> int:
        if item == 3:
            raise ValueError("page 3 cannot be read")
        return item

    def items() -> Iterator[int]:
        yield from range(1000)

    before = threading.active_count()
    with pytest.raises(ValueError, match="page 3 cannot be read"):
        list(load_ahead(failing, items(), threads=2))
    assert threading.active_count() == before


def test_images_are_pinned_for_a_gpu_only() -> None:
    images = torch.zeros(2, 1, 4, 4)
    assert pinned(images, torch.device("cpu")) is images


def views(processes: Processes, threads: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    pages = [rng.integers(0, 256, rng.integers(40, 60, 2), dtype=np.uint8) for _ in range(11)]
    batches = ScriptBatches(
        AugmentedViews(pages, np.arange(11).astype(str), ScriptAugmentation(24)),
        np.arange(11),
        5,
        np.random.default_rng(1),
        processes,
        threads,
    )
    return [images.numpy() for _ in range(2) for images, _ in batches()]


def test_property_neither_threads_nor_processes_change_a_view() -> None:
    alone = views(Processes(), 1)
    for one, other in zip(alone, views(Processes(), 4), strict=True):
        assert np.array_equal(one, other)
    shares = [views(Processes(rank, 3), 2) for rank in range(3)]
    for whole, *parts in zip(alone, *shares, strict=True):
        assert np.array_equal(whole, np.concatenate(parts))
