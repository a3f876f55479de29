"""The training loop: epochs, validation, checkpoints, and the best model by validation error."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterable

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dgmp.learning.checkpoints import Checkpoints
from dgmp.learning.log import Epoch, Fit, StepResult
from dgmp.learning.optimizer import learning_rates
from dgmp.learning.processes import Processes


class DivergedError(ValueError):
    """The loss is not a finite number."""


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
            together, the images are the process's shard, and the labels those of the whole batch.
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
    if int(processes.all_reduce(np.array(begun))) != begun * processes.count:
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
        processes.broadcast_buffers(bare)
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
