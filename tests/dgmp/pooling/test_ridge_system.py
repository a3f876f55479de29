"""Products of the linear system, whichever way they are made."""

import pytest
import torch
from torch import Tensor

from dgmp.pooling.ridge_system import times, two_outer

# One sample and several; few entries, short rows and short columns of many, many of both.
SHAPES = [(1, 30, 40), (3, 4, 5), (3, 300, 4), (3, 4, 300), (3, 30, 40), (3, 6, 1), (3, 1, 6)]


def both_layouts(shape: tuple[int, int, int]) -> list[Tensor]:
    """The same matrices, rows or columns of which lie together in memory."""
    torch.manual_seed(0)
    x = torch.rand(shape, dtype=torch.float64)
    return [x, x.mT.contiguous().mT]


@pytest.mark.parametrize("shape", SHAPES)
def test_product_with_a_vector(shape) -> None:
    batch, _, n = shape
    vector = torch.rand(batch, n, 1, dtype=torch.float64)
    for x in both_layouts(shape):
        torch.testing.assert_close(times(x, vector), torch.einsum("bmn,bnk->bmk", x, vector))


@pytest.mark.parametrize("shape", SHAPES)
def test_two_outer_products_lie_in_memory_as_what_they_are_like(shape) -> None:
    batch, m, n = shape
    a, c = torch.rand(2, batch, m, 1, dtype=torch.float64)
    b, d = torch.rand(2, batch, n, 1, dtype=torch.float64)
    for like in both_layouts(shape):
        found = two_outer(a, b, c, d, like)
        torch.testing.assert_close(found, a * b.mT + c * d.mT)
        if min(m, n) > 1:
            assert found.stride() == like.stride()
