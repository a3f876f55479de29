"""Generalized max pooling of more descriptors than fit into memory, as those of a whole page."""

from __future__ import annotations

import torch
from torch import Tensor

from dgmp.pooling.base import flatten_locations
from dgmp.pooling.cholesky import cholesky_with_retry
from dgmp.pooling.ridge import without_autocast
from dgmp.pooling.ridge_parameter import relative_to_energy, ridge_parameter


class StreamingGMP:
    r"""Generalized max pooling of all descriptors that were added, as if they were one matrix.

    The primal form :math:`(\Phi\Phi^T + \lambda I_D)\xi = \Phi 1_N` needs no more than a D x D
    matrix and a vector, both sums over the locations. They hold for any lambda. There is no
    gradient. The relative error is about the machine precision times the condition number, which is
    at most 1 + ||Phi||^2 / lambda.

    Processes that each add a share of the descriptors sum up the `moments`:
    `torch.distributed.all_reduce(pool.moments)`; then each of them can finish.

    Args:
        depth: Number D of activation maps.
        dtype: Of the sums and the result, float64 or float32. Take float32 only where a device has
            no float64: unlike in the layer, no refinement takes back the rounding of the matrix.
        device: Of the sums and the result.

    Attributes:
        moments: Sum of (phi, 1)(phi, 1)^T over the locations, (D + 1, D + 1): the matrix, the
            vector in its last row and column, and the number of locations in the corner.

    Raises:
        ValueError: depth is not positive; dtype is another.

    Examples:
        >>> pool = StreamingGMP(64)
        >>> for _ in range(3):  # batches of patches of one page
        ...     pool.add(torch.rand(8, 64, 7, 7))
        >>> pool.locations
        1176
        >>> pool.finish(1.0, relative=True).shape
        torch.Size([64])
    """

    def __init__(
        self,
        depth: int,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth must be positive, got {depth}")
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype must be torch.float64 or torch.float32, got {dtype}")
        self.depth = depth
        self.moments = torch.zeros(depth + 1, depth + 1, dtype=dtype, device=device)

    @property
    def locations(self) -> int:
        """Number of locations that were added."""
        return int(self.moments[-1, -1])

    @torch.no_grad()
    def add(self, descriptors: Tensor, mask: Tensor | None = None) -> None:
        """Add locations; a sample may be left without any by the mask.

        Args:
            descriptors: (D, N), or activations (B, D, *spatial), all locations of which go to the
                one system; any floating point, on any device.
            mask: True at the locations that count, (N,) or (B, *spatial).

        Raises:
            ValueError: the descriptors have another depth or number of axes, are not floating
                point or, where the mask leaves them, not finite; the mask does not fit. Nothing has
                been added then.
        """
        if descriptors.ndim < 2 or descriptors.shape[descriptors.ndim > 2] != self.depth:
            raise ValueError(
                f"descriptors must be (D, N) or (B, D, *spatial) with D = {self.depth}, "
                f"got {tuple(descriptors.shape)}"
            )
        if not descriptors.is_floating_point():
            raise ValueError(f"descriptors must be floating point, got {descriptors.dtype}")
        if mask is not None and mask.dtype != torch.bool:
            raise ValueError(f"mask must be boolean, got {mask.dtype}")
        if descriptors.ndim == 2:
            descriptors = descriptors.unsqueeze(0)
            mask = None if mask is None else mask.unsqueeze(0)
        phi, mask, _ = flatten_locations(descriptors, mask, channels_last=False)
        columns = phi.transpose(0, 1)
        columns = columns.flatten(1) if mask is None else columns[:, mask]
        extended = self.moments.new_ones(self.depth + 1, columns.shape[1])
        extended[:-1] = columns
        if not extended.isfinite().all():
            raise ValueError(
                f"descriptors must be finite in {self.moments.dtype}: mask the locations that are "
                "not, or check the network and its input"
            )
        with without_autocast(self.moments.device):
            self.moments.addmm_(extended, extended.mT)

    def merge(self, other: StreamingGMP) -> None:
        """Add all that was added to another one.

        Raises:
            ValueError: the other one has another depth.
        """
        if other.depth != self.depth:
            raise ValueError(f"the other must have the depth {self.depth}, got {other.depth}")
        self.moments += other.moments.to(self.moments)

    @torch.no_grad()
    def finish(self, lambda_: float, relative: bool = False) -> Tensor:
        """Pooled descriptor xi (D,) of all that was added, not normalised; more may be added after.

        Args:
            lambda_: Ridge parameter, positive.
            relative: Whether it is in units of the mean squared norm of all descriptors, as in
                `dgmp.pooling.functional.generalized_max_pool`.

        Raises:
            ValueError: no location was added, or so many that the type does not count them; lambda_
                is not positive and finite; the sums are not finite.
        """
        sums, dtype = self.moments, self.moments.dtype
        ridge = ridge_parameter(float(lambda_), sums)
        if not sums.isfinite().all():
            raise ValueError(f"the sums overflow {dtype}: scale the descriptors, or take float64")
        if self.locations < 1:
            raise ValueError("no location was added: call add first, with a mask that leaves some")
        if self.locations >= 2 / torch.finfo(dtype).eps:
            raise ValueError(
                f"{dtype} counts fewer locations than the {self.locations} that were added: take "
                "float64"
            )
        system = sums[:-1, :-1].clone()
        if relative:
            ridge = relative_to_energy(ridge, system.trace() / self.locations)
        system.diagonal().add_(ridge)
        factor = cholesky_with_retry(system.unsqueeze(0)).squeeze(0)
        return torch.cholesky_solve(sums[:-1, -1:], factor).squeeze(1)
