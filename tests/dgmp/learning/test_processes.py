"""Two processes that train together do what one does on the whole batch."""

import itertools
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed, multiprocessing, nn

from dgmp.images.augmentation import ScriptAugmentation
from dgmp.images.patches import PagePatches, PatchStore, PatchWriter
from dgmp.learning.backbones.resnet import narrow_resnet
from dgmp.learning.inference import Inference
from dgmp.learning.inputs import AugmentedViews, CentralViews, InkPatches
from dgmp.learning.loop import fit, processes_of
from dgmp.learning.models import Classifier, DescriptorNet, Standardize
from dgmp.learning.processes import Processes
from dgmp.learning.script_classification import ScriptBatches, class_scores, cross_entropy_step
from dgmp.learning.triplet import BatchHardTripletLoss
from dgmp.learning.writer_retrieval import WriterBatches, describe_pages, triplet_step
from dgmp.pooling.registry import build_pooling

COUNT = 2
CROP = 32
# Batches that two processes share evenly, and not.
CASES = list(itertools.product(["writers", "scripts"], ["dgmp", "avg"], ["even", "odd"]))


class Frozen(nn.Module):
    """A network in float64 that keeps its batch statistics, which no process shares on a CPU."""

    def __init__(self, network: DescriptorNet | Classifier) -> None:
        super().__init__()
        self.network = network.double()
        self.pooling = network.pooling

    def train(self, mode: bool = True) -> nn.Module:
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.double())


def write_patches(folder: Path) -> None:
    rng = np.random.default_rng(0)
    with PatchWriter(folder / "some.npy", folder / "some.csv", CROP) as writer:
        for page in range(9):
            ink = rng.random((5, CROP, CROP)) < 0.1 * (page % 3 + 1)
            bits = np.packbits(ink, axis=-1)
            found = PagePatches(bits, np.zeros((5, 2), int), np.ones(5, int), False, False)
            writer.add(f"{page}.png", f"w{page % 3}", found)


def train(task: str, pooling: str, size: str, folder: Path) -> dict[str, Tensor]:
    """Weights, losses and predictions after two epochs of gradient descent."""
    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True)
    processes = processes_of(accelerator)
    rng = np.random.default_rng(0)
    settings: dict[str, Any] = {"lambda_init": 10.0} if pooling == "dgmp" else {}
    parts = Standardize(0.5, 0.3), narrow_resnet(2), build_pooling(pooling, **settings)
    batches: Callable[[], Any]
    if task == "writers":
        inputs = InkPatches(PatchStore(folder / "some.npy", folder / "some.csv"))
        net = Frozen(DescriptorNet(*parts))
        k = 4 if size == "even" else 3
        batches = WriterBatches(inputs, 3, k, 3, rng, processes)
        step: Callable[..., Any] = partial(triplet_step, BatchHardTripletLoss(0.5))

        def predict() -> np.ndarray:
            return describe_pages(net, inputs, Inference(7, processes)).descriptors
    else:
        shapes = rng.integers(40, 60, (14, 2))
        pages = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
        names, labels = np.array([f"{i}.png" for i in range(14)]), np.arange(14) % 3
        views = AugmentedViews(pages, labels.astype(str), ScriptAugmentation(CROP))
        central = CentralViews(pages, names, labels.astype(str), CROP)
        net = Frozen(Classifier(*parts, classes=3))
        batch = 6 if size == "even" else 7
        batches = ScriptBatches(views, labels, batch, rng, processes)
        step = cross_entropy_step

        def predict() -> np.ndarray:
            return class_scores(net, central, Inference(4, processes))

    before = {key: value.clone() for key, value in net.network.state_dict().items()}
    # Plain gradient descent, because Adam hides a wrong scale of the gradients.
    history = fit(
        net,
        torch.optim.SGD(net.parameters(), lr=0.1),
        epochs=2,
        decay_start=2,
        batches=batches,
        step=partial(step, processes=processes),
        validate=lambda model: float(predict().sum()),
        accelerator=accelerator,
        validate_every=3,
    )
    rows = [(e.loss, e.active_triplets or 0, e.spread or 0) for e in history.epochs]
    state = dict(net.network.state_dict())
    assert any(not torch.equal(state[key], value) for key, value in before.items())
    state["log"] = torch.tensor(rows, dtype=torch.float64)
    state["predictions"] = torch.from_numpy(predict())
    state["validation"] = torch.tensor(history.best_error)
    return state


def train_share(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "GLOO_SOCKET_IFNAME": "lo"}
    os.environ |= {"WORLD_SIZE": str(COUNT), "LOCAL_WORLD_SIZE": str(COUNT)}
    rendezvous = f"file://{folder / 'rendezvous'}"
    distributed.init_process_group("gloo", rendezvous, rank=rank, world_size=COUNT)
    for case in CASES:
        save_file(train(*case, folder), folder / f"{'-'.join(case)}-{rank}.safetensors")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    write_patches(folder)
    multiprocessing.spawn(train_share, (folder,), nprocs=COUNT)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("task", "pooling", "size"), CASES)
def test_oracle_two_processes_learn_what_one_does(
    together: Path, task: str, pooling: str, size: str
) -> None:
    alone = train(task, pooling, size, together)
    for rank in range(COUNT):
        shared = load_file(together / f"{task}-{pooling}-{size}-{rank}.safetensors")
        # Predictions are single precision; all else is double.
        wanted = {key: alone[key] for key in shared}
        for key, value in shared.items():
            tight = value.dtype == torch.float64
            bounds = {"rtol": 1e-9, "atol": 1e-11} if tight else {"rtol": 1e-5, "atol": 1e-6}
            torch.testing.assert_close(value, wanted[key], **bounds, msg=lambda m, k=key: k + m)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("length", [0, 1, 6, 7, 50])
def test_property_shares_are_a_partition(count: int, length: int) -> None:
    shares = [Processes(rank, count).shard(length) for rank in range(count)]
    assert [i for share in shares for i in range(length)[share]] == list(range(length))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_fewer_items_than_processes_are_seen_by_each() -> None:
    assert Processes(3, 4).for_items(3).shard(3) == slice(0, 3)
    assert Processes(3, 4).for_items(4).shard(4) == slice(3, 4)
