"""Democratic weights: each local descriptor contributes alike to the similarity with its set."""

from __future__ import annotations

import torch
from torch import Tensor

ITERATIONS = 10
"""Steps of Sinkhorn's scaling, as in Jégou and Zisserman 2014."""

# Exponent of a step. With 1 the weights of a symmetric kernel jump from one side of the solution to
# the other; Jégou and Zisserman take 0.5.
DAMPING = 0.5


def democratic_weights(phi: Tensor, *, iterations: int = ITERATIONS) -> Tensor:
    r"""Weights w with :math:`w_i \sum_j w_j \max(\phi_i^T \phi_j, 0) = 1` for every i.

    Approximated by so many damped steps of Sinkhorn's scaling (Jégou and Zisserman, "Triangulation
    embedding and democratic aggregation", CVPR 2014, Algorithm 1). A kernel with negative entries
    need not have such weights; they count as zero, as there.

    Args:
        phi: Descriptors, (B, D, N), padded with zeros where samples have fewer than N.
        iterations: Steps.

    Returns:
        Weights (B, N), zero for a descriptor of zeros.

    >>> phi = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])  # the first twice
    >>> democratic_weights(phi)
    tensor([[0.7071, 0.7071, 1.0000]])
    """
    kernel = torch.bmm(phi.mT, phi).clamp_(min=0)
    counts = kernel.diagonal(dim1=1, dim2=2) > 0
    weights = counts.to(phi.dtype)
    for _ in range(iterations):
        share = weights * torch.bmm(kernel, weights.unsqueeze(2)).squeeze(2)
        weights = torch.where(counts, weights / share.pow(DAMPING), 0)
    return weights
