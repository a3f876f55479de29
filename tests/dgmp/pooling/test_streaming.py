"""Streaming generalized max pooling against the pooling of all descriptors at once."""

import math
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing

import dgmp
from dgmp.pooling import StreamingGMP
from dgmp.pooling.functional import generalized_max_pool

DOUBLE, SINGLE = torch.float64, torch.float32
PROCESSES = 2


def page(depth: int = 6) -> Tensor:
    """Five patches of activations."""
    return torch.rand(5, depth, 3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))


def as_one_matrix(volume: Tensor) -> Tensor:
    return torch.cat([patch.flatten(1) for patch in volume], dim=1).unsqueeze(0)


def streamed(*parts: Tensor) -> StreamingGMP:
    pool = StreamingGMP(parts[0].shape[1])
    for part in parts:
        pool.add(part)
    return pool


@pytest.mark.parametrize("depth", [1, 6, 60, 130])  # 60 locations
@pytest.mark.parametrize("lambda_", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("relative", [False, True])
def test_it_is_the_pooling_of_the_concatenation(depth, lambda_, relative) -> None:
    volume = page(depth) - 0.3
    pool = streamed(volume[:2], volume[2:3], volume[3:])
    wanted = generalized_max_pool(as_one_matrix(volume), lambda_, relative=relative)
    found = pool.finish(lambda_, relative=relative)
    assert pool.locations == 60
    torch.testing.assert_close(found, wanted.squeeze(0), rtol=1e-10, atol=1e-10 * wanted.norm())


def test_more_may_be_added_after_the_end() -> None:
    volume = page()
    pool = streamed(volume[:2])
    before = pool.finish(1.0)
    assert torch.equal(pool.finish(1.0), before)
    pool.add(volume[2:])
    torch.testing.assert_close(pool.finish(1.0), streamed(volume).finish(1.0))


def test_a_matrix_is_added_as_its_locations() -> None:
    volume = page()
    pool = StreamingGMP(6)
    pool.add(as_one_matrix(volume).squeeze(0))
    torch.testing.assert_close(pool.moments, streamed(volume).moments)


def test_only_what_the_mask_leaves_is_added() -> None:
    volume, mask = page(), torch.rand(5, 3, 4, generator=torch.Generator().manual_seed(1)) > 0.4
    mask[1] = False
    volume = volume.masked_fill(~mask[:, None], math.nan)
    pool, matrix = StreamingGMP(6), StreamingGMP(6)
    pool.add(volume, mask)
    matrix.add(as_one_matrix(volume).squeeze(0), mask.flatten())
    kept = as_one_matrix(volume)[:, :, mask.flatten()]
    wanted = generalized_max_pool(kept, 0.5, relative=True).squeeze(0)
    for each in (pool, matrix):
        assert each.locations == int(mask.sum())
        torch.testing.assert_close(each.finish(0.5, relative=True), wanted)


def test_merged_shares_are_the_whole() -> None:
    volume = page()
    pool, other = streamed(volume[:1]), streamed(volume[1:])
    pool.merge(other)
    assert (pool.locations, other.locations) == (60, 48)
    torch.testing.assert_close(pool.moments, streamed(volume).moments)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, SINGLE])
def test_sums_are_in_double_precision(dtype) -> None:
    volume = page().to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pool = streamed(volume)
        found = pool.finish(1.0)
    assert found.dtype == DOUBLE
    assert not found.requires_grad
    assert torch.equal(found, streamed(volume.detach().double()).finish(1.0))


def test_single_precision_where_asked() -> None:
    pool = StreamingGMP(6, dtype=SINGLE)
    pool.add(page())
    wanted = generalized_max_pool(as_one_matrix(page()), 1.0).squeeze(0).float()
    torch.testing.assert_close(pool.finish(1.0), wanted, rtol=1e-4, atol=0)
    other = StreamingGMP(6)
    other.merge(pool)
    assert other.moments.dtype == DOUBLE


def test_zeros_give_zero() -> None:
    pool = streamed(torch.zeros(2, 6, 3, 4))
    for relative in (False, True):
        assert torch.equal(pool.finish(1.0, relative=relative), torch.zeros(6, dtype=DOUBLE))


def add_share(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    rendezvous = f"file://{folder / 'rendezvous'}"
    distributed.init_process_group("gloo", rendezvous, rank=rank, world_size=PROCESSES)
    pool = streamed(page().tensor_split(PROCESSES)[rank])
    distributed.all_reduce(pool.moments)
    torch.save((pool.locations, pool.finish(2.0, relative=True)), folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_sum_up_their_moments(tmp_path: Path) -> None:
    multiprocessing.spawn(add_share, (tmp_path,), nprocs=PROCESSES)
    wanted = (60, streamed(page()).finish(2.0, relative=True))
    for rank in range(PROCESSES):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), wanted)


def test_errors_of_what_is_added() -> None:
    pool = streamed(page())
    before = pool.moments.clone()
    for shape in [(5, 7, 3, 4), (7, 3), (6,), ()]:
        with pytest.raises(ValueError, match=r"\(B, D, \*spatial\) with D = 6, got \("):
            pool.add(torch.rand(shape))
    with pytest.raises(ValueError, match=r"floating point, got torch\.int64"):
        pool.add(torch.ones(6, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"mask must be boolean, got torch\.float32"):
        pool.add(page(), torch.ones(5, 3, 4))
    with pytest.raises(ValueError, match=r"mask must be \(5, 3, 4\)"):
        pool.add(page(), torch.ones(5, 12, dtype=torch.bool))
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"finite in torch\.float64: mask the locations"):
            pool.add(page().masked_fill(page() > 0.9, value))
    assert torch.equal(pool.moments, before)


def test_errors_of_the_end() -> None:
    with pytest.raises(ValueError, match="no location was added: call add first"):
        StreamingGMP(6).finish(1.0)
    for lambda_ in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="lambda_ must be positive and finite in"):
            streamed(page()).finish(lambda_)
    pool = StreamingGMP(6, dtype=SINGLE)
    pool.add(1e30 * page())
    with pytest.raises(ValueError, match=r"the sums overflow torch\.float32"):
        pool.finish(1.0)
    pool.moments = torch.ones(7, 7)
    pool.moments[-1, -1] = 2**24
    with pytest.raises(ValueError, match=r"counts fewer locations than the 16777216 .*: take"):
        pool.finish(1.0)


def test_other_errors() -> None:
    with pytest.raises(ValueError, match="depth must be positive, got 0"):
        StreamingGMP(0)
    with pytest.raises(ValueError, match=r"float64 or torch\.float32, got torch\.float16"):
        StreamingGMP(6, dtype=torch.float16)
    with pytest.raises(ValueError, match="must have the depth 6, got 5"):
        StreamingGMP(6).merge(StreamingGMP(5))


def test_it_is_exported() -> None:
    assert dgmp.StreamingGMP is StreamingGMP
