"""Linear SVMs of one page against many, from the products of the pages alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from dgmp.metrics.distances import Floats

# Newton steps: on simulated descriptors an exemplar took 5, for C from 10 to 100,000.
_MOST_STEPS = 200
_SMALLEST_STEP = 1e-10


def exemplar_shares(
    squares: Floats, crossed: Floats, gram: Floats, against: NDArray[np.bool_], C: float
) -> Floats:
    """Shares of an exemplar and its negatives in the weight vector, for each exemplar.

    The weight vector is the combination of the exemplar and the negatives by these shares, and
    their sum is the bias. See `dgmp.encoding.ExemplarSVM` for the problem that they solve.

    Args:
        squares: (m,), squared lengths of the exemplars.
        crossed: (m, n), products of exemplars and negatives.
        gram: (n, n), products of the negatives.
        against: (m, n), which negatives an exemplar has; at least one.
        C: Weight of the loss.

    Returns:
        (m, 1 + n), those of the exemplars first; 0 for negatives that it does not have.
    """
    m, n = crossed.shape
    kernel = np.empty((n + 1, n + 1))  # the first row and column are the exemplar's
    kernel[1:, 1:] = gram
    kernel[1:, 1:] += 1  # the constant feature of the bias
    signs, costs = np.full(n + 1, -1.0), np.empty(n + 1)
    signs[0] = 1
    inside = np.ones(n + 1, dtype=bool)
    shares = np.empty((m, n + 1))
    # Threads gain little on systems this small; on a busy machine they took seven times as long.
    with threadpool_limits(limits=1, user_api="blas"):
        for i in range(m):
            kernel[0, 0] = squares[i] + 1
            kernel[0, 1:] = kernel[1:, 0] = crossed[i] + 1
            negatives = np.count_nonzero(against[i])
            costs[0] = C * (negatives + 1) / 2
            costs[1:] = against[i] * (C * (negatives + 1) / (2 * negatives))
            # What is inside the margin of one exemplar is a good guess for the next one.
            shares[i], inside = squared_hinge_shares(kernel, signs, costs, inside)
    return shares


def squared_hinge_shares(
    kernel: Floats, signs: Floats, costs: Floats, inside: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    r"""Minimize :math:`\tfrac12 \|w\|^2 + \sum_i c_i \max(0, 1 - y_i w^T x_i)^2`.

    The minimum is :math:`w = \sum_i s_i x_i` with :math:`s_i = 2 c_i (y_i - w^T x_i)` for the pages
    inside the margin, and 0 for the others. Newton's method solves that linear system for the pages
    that the last step left inside, until they remain the same; see Chapelle, Training a Support
    Vector Machine in the Primal, Neural Computation 2007. Steps that do not lower the sum are
    halved, so that it converges from every guess.

    Args:
        kernel: (n, n), products of the x.
        signs: (n,), the y, 1 or -1.
        costs: (n,), the c; a page of cost 0 takes no part.
        inside: (n,), a guess which pages are inside the margin.

    Returns:
        (n,), the s, and (n,), which pages are inside the margin.

    Raises:
        ArithmeticError: without convergence.
    """
    used = costs > 0
    inside = inside & used
    shares = _shares_if_inside(kernel, signs, costs, inside)
    outputs = kernel @ shares
    whole_step = True
    for _ in range(_MOST_STEPS):
        now_inside = used & (signs * outputs < 1)
        if whole_step and np.array_equal(now_inside, inside):
            return shares, inside
        inside = now_inside
        ahead = _shares_if_inside(kernel, signs, costs, inside) - shares
        outputs_ahead = kernel @ ahead
        loss = _loss(shares, outputs, signs, costs)
        step = 1.0
        while _loss(shares + step * ahead, outputs + step * outputs_ahead, signs, costs) >= loss:
            step /= 2
            if step < _SMALLEST_STEP:  # only rounding decides on which side of the margin a page is
                return shares, inside
        shares = shares + step * ahead
        outputs = outputs + step * outputs_ahead
        whole_step = step == 1
    raise ArithmeticError(
        f"the SVM of an exemplar did not converge in {_MOST_STEPS} steps: use a smaller C, or "
        "descriptors of unit length"
    )


def _shares_if_inside(
    kernel: Floats, signs: Floats, costs: Floats, inside: NDArray[np.bool_]
) -> Floats:
    pages = np.flatnonzero(inside)
    system = kernel[np.ix_(pages, pages)]
    system.flat[:: len(pages) + 1] += 0.5 / costs[pages]
    factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    shares = np.zeros(len(kernel))
    shares[pages] = cho_solve(factor, signs[pages], check_finite=False)
    return shares


def _loss(shares: Floats, outputs: Floats, signs: Floats, costs: Floats) -> float:
    slack = np.maximum(0, 1 - signs * outputs)
    return float(0.5 * shares @ outputs + costs @ (slack * slack))
