"""Generalized max pooling by NumPy, for one page, for which PyTorch is not worth loading."""

from __future__ import annotations

import numpy as np


def plain_gmp(
    phi: np.ndarray, present: np.ndarray, lambda_: float, relative: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Pool descriptors as `dgmp.pooling.functional.generalized_max_pool` does, in double precision.

    Args:
        phi: (B, N, D), zero where there is no descriptor; a sample has one at least.
        present: bool (B, N), where there is one.
        lambda_: Ridge parameter.
        relative: Whether it is a multiple of the mean squared length of a sample's descriptors.

    Returns:
        Pooled descriptors float64 (B, D), and weights float64 (B, N), of no meaning where there is
        no descriptor.

    Raises:
        LinAlgError: a system is singular, of descriptors far longer than `lambda_`.

    >>> phi = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])  # the first twice
    >>> plain_gmp(phi, np.ones((1, 3), bool), 0.001)[0].round(4)
    array([[0.9995, 0.999 ]])
    """
    phi = phi.astype(np.float64)
    ridge = np.full((len(phi), 1, 1), float(lambda_))
    if relative:
        energy = np.square(phi).sum(axis=(1, 2)) / present.sum(axis=1)
        ridge *= np.where(energy > 0, energy, 1)[:, None, None]
    _, count, width = phi.shape
    if count <= width:
        system = phi @ phi.mT + ridge * np.eye(count)
        alpha = np.linalg.solve(system, np.ones((len(phi), count, 1)))
        return (phi.mT @ alpha)[..., 0], alpha[..., 0]
    system = phi.mT @ phi + ridge * np.eye(width)
    xi = np.linalg.solve(system, phi.sum(axis=1)[..., None])
    return xi[..., 0], ((1 - phi @ xi) / ridge)[..., 0]
