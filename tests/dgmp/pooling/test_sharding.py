"""The layer in a network that FSDP2 shards over two processes."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from dgmp import DGMP

PROCESSES = 2


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), DGMP(10.0)).double()
    pool = model[2]
    # FSDP2 shards no scalar, so lambda becomes a vector of one element.
    pool.lambda_ = nn.Parameter(pool.lambda_.detach().reshape(1))
    return model


def images() -> Tensor:
    return torch.rand(4, 3, 7, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def train(model: nn.Module, x: Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        model(x)[:, ::2].sum(dim=1).square().mean().backward()
        optimizer.step()


def train_share(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    rendezvous = f"file://{folder / 'rendezvous'}"
    distributed.init_process_group("gloo", rendezvous, rank=rank, world_size=PROCESSES)
    model = fully_shard(network(), mesh=init_device_mesh("cpu", (PROCESSES,)))
    train(model, images().tensor_split(PROCESSES)[rank])
    whole = {
        name: value.full_tensor() if isinstance(value, DTensor) else value
        for name, value in model.state_dict().items()
    }
    torch.save(whole, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_a_sharded_network_learns_as_a_whole_one(tmp_path: Path) -> None:
    multiprocessing.spawn(train_share, (tmp_path,), nprocs=PROCESSES)
    alone = network()
    train(alone, images())
    assert alone[2].lambda_.item() != 10
    for rank in range(PROCESSES):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), alone.state_dict())
