"""Processes that train one model together, each with its shard of every batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, distributed

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone by default.

    Attributes:
        rank: Its number, from 0.
        count: How many there are.
        device: Where it computes.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.rank == 0

    def shard(self, length: int) -> slice:
        """The part of `length` items that is this process's; lengths of parts differ by one.

        >>> [Processes(rank, 3).shard(7) for rank in range(3)]
        [slice(0, 2, None), slice(2, 4, None), slice(4, 7, None)]
        """
        return slice(
            self.rank * length // self.count,
            (self.rank + 1) * length // self.count,
        )

    def for_items(self, length: int) -> Processes:
        """These processes, or this one alone, doing all, where there are fewer items."""
        return self if length >= self.count else Processes(device=self.device)

    def gather(self, own: Tensor, length: int) -> Tensor:
        """The rows of all processes in order, (length, ...), from each one's shard (n, ...).

        Gradients flow to the process's own rows alone. Where every process derives the same loss
        from the whole, the sum of their gradients is that of a single process.
        """
        if self.count == 1:
            return own
        mine = self.shard(length)
        rows = own.new_zeros(length, *own.shape[1:])
        rows[mine] = own.detach()
        # A sum with zeros gathers shards of unequal length, which all_gather cannot everywhere.
        distributed.all_reduce(rows)
        return torch.cat([rows[: mine.start], own, rows[mine.stop :]])

    def all_reduce(self, array: np.ndarray) -> np.ndarray:
        """The sum of an array over all processes."""
        if self.count == 1:
            return array
        tensor = torch.from_numpy(array).to(self.device)
        distributed.all_reduce(tensor)
        return tensor.cpu().numpy()

    def broadcast_buffers(self, model: torch.nn.Module) -> None:
        """Give every process the main one's buffers, such as running means."""
        if self.count > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)


ALONE = Processes()
"""No other process."""
