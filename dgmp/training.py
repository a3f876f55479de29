"""Training: optimizer, schedule, epochs, and the best model by validation error."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dgmp.processes import Processes

if TYPE_CHECKING:
    from dgmp.checkpoints import Checkpoints

FINAL_FRACTION = 0.001
"""The decay's last value as a part of the first (Hermans et al. 2017)."""


class DivergedError(ValueError):
    """The loss is not a finite number."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam with AMSGrad (section IV-C.1).

    Attributes:
        learning_rate: Of the backbone.
        weight_decay: Of all but the pooling's own parameter.
        pooling_weight_decay: Of the pooling's own parameter.
        pooling_multiplier: Scales the learning rate of the pooling's own parameter.
        head_multiplier: Scales the learning rate of a classifier's last layer.
    """

    learning_rate: float
    weight_decay: float
    pooling_multiplier: float = 1.0
    head_multiplier: float = 1.0
    pooling_weight_decay: float = 0.0


@dataclass(frozen=True)
class Epoch:
    """One row of the log.

    Epochs count from 1, errors are in percent, and `spread` is the mean squared distance of the
    descriptors in a batch (triplet loss only).
    """

    epoch: int
    loss: float
    active_triplets: float | None
    validation_error: float | None
    pooling_parameter: float | None
    learning_rate: float
    spread: float | None = None


@dataclass(frozen=True)
class StepResult:
    """Loss of one batch with, for the triplet loss, its statistics."""

    loss: Tensor
    active: float | None = None
    spread: float | None = None


@dataclass
class Fit:
    """The log of a training run and its best state by validation error.

    `resumed_after` lists the epochs after which the run was taken up again from a checkpoint.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_error: float = float("inf")
    best_state: dict[str, Tensor] = field(default_factory=dict)
    resumed_after: list[int] = field(default_factory=list)


def seed_everything(seed: int) -> np.random.Generator:
    """Seed PyTorch (initial weights) and return the generator for all other random numbers.

    The same seed gives the same results on one machine: Python's own generator, which libraries
    may use, is seeded too, and on a GPU only deterministic algorithms are used.
    """
    random.seed(seed)
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        # Read at the first matrix product on a GPU; PyTorch stops there if it is not set.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return np.random.default_rng(seed)


def build_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Adam:
    """Adam with AMSGrad and one named group each for backbone, pooling and head."""
    pooling = [p for p in model.get_submodule("pooling").parameters() if p.requires_grad]
    head = list(model.get_submodule("head").parameters()) if hasattr(model, "head") else []
    special = {id(p) for p in [*pooling, *head]}
    backbone = [p for p in model.parameters() if id(p) not in special]
    rate = settings.learning_rate
    groups = [
        {"name": "backbone", "params": backbone, "lr": rate},
        {"name": "head", "params": head, "lr": rate * settings.head_multiplier},
        {
            "name": "pooling",
            "params": pooling,
            "lr": rate * settings.pooling_multiplier,
            "weight_decay": settings.pooling_weight_decay,
        },
    ]
    return torch.optim.Adam(
        [group for group in groups if group["params"]],
        amsgrad=True,
        weight_decay=settings.weight_decay,
    )


def decay_factor(epoch: int, *, epochs: int, decay_start: int) -> float:
    """Factor of the learning rates in an epoch counted from 0 (Hermans et al. 2017, Eq. 11).

    One before `decay_start`, then falling exponentially towards 1/1000.

    Examples:
        >>> decay_factor(3, epochs=10, decay_start=5)
        1.0
        >>> round(decay_factor(9, epochs=10, decay_start=5), 4)
        0.0032
    """
    if epoch < decay_start:
        return 1.0
    return float(FINAL_FRACTION ** ((epoch + 1 - decay_start) / (epochs + 1 - decay_start)))


def learning_rates(
    rates: Sequence[float], epoch: int, *, epochs: int, decay_start: int, keep_multipliers: bool
) -> list[float]:
    """The groups' learning rates in an epoch counted from 0.

    Args:
        rates: Of the groups at the start, the backbone's first.
        epoch: Which, from 0.
        epochs: How many there are.
        decay_start: See `decay_factor`.
        keep_multipliers: Whether each group decays from its own rate; if not, all of them decay
            from the backbone's, as in the authors' code.
    """
    factor = decay_factor(epoch, epochs=epochs, decay_start=decay_start)
    own = keep_multipliers or epoch < decay_start
    return [(rate if own else rates[0]) * factor for rate in rates]


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    decay_start: int,
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]],
    step: Callable[[nn.Module, Tensor, Tensor], StepResult],
    validate: Callable[[nn.Module], float],
    accelerator: Accelerator,
    validate_every: int = 1,
    checkpoints: Checkpoints | None = None,
    keep_multipliers: bool = True,
    restore_best: bool = True,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Fit:
    """Train for some epochs; the model ends with the weights of the best validation error.

    The best error is the first of equals.

    Args:
        model: Has `pooling`, and `head` if it classifies.
        optimizer: Of the model's parameters.
        epochs: How many; with 0 the model is validated and left as it is.
        decay_start: See `decay_factor`.
        batches: Called once an epoch; gives (images, labels). Where several processes train
            together, the images are the process's share, and the labels those of the whole batch.
        step: Loss of one whole batch, the same in every process.
        validate: Validation error in percent, the same in every process.
        accelerator: Device, precision and processes.
        validate_every: Validate after epochs 1, 1 + this, 1 + twice this, …
        checkpoints: Where the state after an epoch is kept when one is due, and after the last;
            training goes on from the newest.
        keep_multipliers: See `learning_rates`.
        restore_best: If not, the model ends with the weights of the last epoch.
        report: Called with the row of each epoch that is trained.

    Raises:
        DivergedError: a loss is NaN or infinite; the message names epoch and step.
        ValueError: a batch has fewer images than there are processes, or they do not share the
            folder of checkpoints.
    """
    model, optimizer = accelerator.prepare(model, optimizer)
    bare = accelerator.unwrap_model(model)
    processes = processes_of(accelerator)
    rates = [group["lr"] for group in optimizer.param_groups]
    result = (checkpoints.restore(bare, optimizer) if checkpoints else None) or Fit()
    begun = len(result.epochs)
    if int(processes.total(np.array(begun))) != begun * processes.count:
        raise ValueError(
            f"process {processes.rank} found a checkpoint after epoch {begun}, others did not: the "
            "folder of the checkpoints must be the same in all processes"
        )
    if epochs == 0:
        result.best_error = validate(bare)
    for epoch in range(begun, epochs):
        current = learning_rates(
            rates,
            epoch,
            epochs=epochs,
            decay_start=decay_start,
            keep_multipliers=keep_multipliers,
        )
        for group, rate in zip(optimizer.param_groups, current, strict=True):
            group["lr"] = rate
        steps = _train_epoch(model, optimizer, batches(), step, accelerator, epoch)
        processes.share_buffers(bare)
        error = validate(bare) if epoch % validate_every == 0 else None
        row = Epoch(
            epoch=epoch + 1,
            loss=float(np.mean([s.loss.item() for s in steps])),
            active_triplets=_mean([s.active for s in steps]),
            validation_error=error,
            pooling_parameter=pooling_parameter(bare),
            learning_rate=current[0],
            spread=_mean([s.spread for s in steps]),
        )
        result.epochs.append(row)
        if error is not None and error < result.best_error:
            result.best_epoch, result.best_error = epoch + 1, error
            result.best_state = copy.deepcopy(bare.state_dict())
        if checkpoints and (checkpoints.due() or epoch + 1 == epochs):
            checkpoints.save(bare, optimizer, result)
        report(row)
    if result.best_state and restore_best:
        bare.load_state_dict(result.best_state)
    return result


def processes_of(accelerator: Accelerator) -> Processes:
    """The processes that an accelerator knows of."""
    return Processes(accelerator.process_index, accelerator.num_processes, accelerator.device)


def pooling_parameter(model: nn.Module) -> float | None:
    """Value of the pooling's own parameter (lambda, alpha, r or p), where it has one."""
    value = getattr(model.get_submodule("pooling"), "value", None)
    return None if value is None else float(value.item())


def _train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor]],
    step: Callable[[nn.Module, Tensor, Tensor], StepResult],
    accelerator: Accelerator,
    epoch: int,
) -> list[StepResult]:
    model.train()
    results = []
    count = accelerator.num_processes
    for number, (images, labels) in enumerate(batches):
        if len(labels) < count:
            raise ValueError(
                f"a batch of {len(labels)} images cannot be spread over {count} processes: start "
                "fewer of them, or make the batches larger"
            )
        images = images.to(accelerator.device, non_blocking=True)
        result = step(model, images, labels.to(accelerator.device))
        if not bool(torch.isfinite(result.loss)):
            raise DivergedError(
                f"the loss is {result.loss.item()} in epoch {epoch + 1}, step {number + 1}: "
                "lower learning_rate, or pooling_multiplier if the pooling has a parameter"
            )
        optimizer.zero_grad()
        # DistributedDataParallel takes the mean over the processes where the sum is wanted.
        accelerator.backward(result.loss * count)
        optimizer.step()
        results.append(StepResult(result.loss.detach(), result.active, result.spread))
    return results


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
