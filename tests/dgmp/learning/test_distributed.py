"""DGMP under DistributedDataParallel, in two processes."""

import os
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from dgmp import DGMP

BATCH, PROCESSES = 6, 2


def network() -> nn.Module:
    torch.manual_seed(0)
    # As large a slope in lambda as in the weights.
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), DGMP(lambda_init=1.0))


def images() -> Tensor:
    return torch.rand(BATCH, 1, 7, 7, generator=torch.Generator().manual_seed(1))


def train(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Three steps; the state afterwards."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        model(x)[:, ::2].sum(dim=1).mean().backward()
        optimizer.step()
    return {key.removeprefix("module."): value for key, value in model.state_dict().items()}


def train_share(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    rendezvous = f"file://{folder / 'rendezvous'}"
    distributed.init_process_group("gloo", rendezvous, rank=rank, world_size=PROCESSES)
    model = DistributedDataParallel(network())
    torch.save(train(model, images().chunk(PROCESSES)[rank]), folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    multiprocessing.spawn(train_share, (tmp_path,), nprocs=PROCESSES)
    alone = train(network(), images())
    assert abs(alone["2.lambda_"].item() - 1) > 1e-3
    for rank in range(PROCESSES):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), alone)
