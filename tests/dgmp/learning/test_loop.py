import math
import os
import random
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dgmp.learning.log import Epoch, StepResult
from dgmp.learning.loop import DivergedError, fit, pooling_parameter, seed_everything
from dgmp.learning.optimizer import OptimizerSettings, build_optimizer, decay_factor, learning_rates
from dgmp.pooling import DGMP, build_pooling
from dgmp.pooling.base import GlobalPooling


class Net(nn.Module):
    """A backbone, a pooling and a head, (B, 1, H, W) -> (B, 2)."""

    def __init__(self, pooling: GlobalPooling) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(1, 3, 1)
        self.pooling = pooling
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pooling(self.backbone(x)))


def batches() -> list[tuple[Tensor, Tensor]]:
    return [(torch.ones(2, 1, 2, 2), torch.tensor([0, 1]))] * 2


def step(model: nn.Module, x: Tensor, y: Tensor) -> StepResult:
    return StepResult(nn.functional.cross_entropy(model(x), y), active=0.5, spread=0.25)


def run(net: nn.Module, errors: Callable[[nn.Module], float], **changes):
    wanted = {"epochs": 4, "decay_start": 2, "step": step, "batches": batches} | changes
    optimizer = build_optimizer(net, OptimizerSettings(0.1, 0.0))
    return fit(net, optimizer, validate=errors, accelerator=Accelerator(cpu=True), **wanted)


@pytest.mark.parametrize(("epochs", "start"), [(10, 5), (300, 150), (3, 0), (4, 9)])
def test_oracle_decay_of_hermans_et_al(epochs: int, start: int) -> None:
    # Eq. 11 with t the number of epochs begun, t0 the start, and t1 the first one not trained.
    for epoch in range(epochs):
        t, t0, t1 = epoch + 1, start, epochs + 1
        expected = 1.0 if t <= t0 else 0.001 ** ((t - t0) / (t1 - t0))
        assert decay_factor(epoch, epochs=epochs, decay_start=start) == pytest.approx(expected)


def test_property_decay_is_exponential_and_ends_above_its_limit() -> None:
    factors = [decay_factor(epoch, epochs=12, decay_start=4) for epoch in range(12)]
    assert factors[:4] == [1.0] * 4
    ratios = np.array(factors[4:]) / np.array(factors[3:-1])
    np.testing.assert_allclose(ratios, ratios[0])
    assert factors[-1] * ratios[0] == pytest.approx(0.001)


def test_optimizer_groups() -> None:
    net = Net(build_pooling("dgmp"))
    optimizer = build_optimizer(net, OptimizerSettings(0.01, 0.1, 1000, 10))
    groups = {group["name"]: group for group in optimizer.param_groups}
    assert list(groups) == ["backbone", "head", "pooling"]
    assert {name: group["lr"] for name, group in groups.items()} == pytest.approx(
        {"backbone": 0.01, "head": 0.1, "pooling": 10.0}
    )
    assert [group["weight_decay"] for group in groups.values()] == [0.1, 0.1, 0.0]
    assert all(group["amsgrad"] for group in groups.values())
    assert groups["pooling"]["params"] == [net.pooling.lambda_]
    assert groups["head"]["params"] == list(net.head.parameters())
    assert sum(len(group["params"]) for group in groups.values()) == len(list(net.parameters()))


@pytest.mark.parametrize("pooling", [build_pooling("avg"), DGMP(learnable=False)])
def test_optimizer_has_no_empty_group(pooling: GlobalPooling) -> None:
    net = Net(pooling)
    del net.head
    names = [g["name"] for g in build_optimizer(net, OptimizerSettings(0.01, 0)).param_groups]
    assert names == ["backbone"]


def test_property_weight_decay_leaves_lambda_alone() -> None:
    net = Net(build_pooling("dgmp", lambda_init=100.0))
    optimizer = build_optimizer(net, OptimizerSettings(0.01, 0.5))
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = net.backbone.weight.detach().clone()
    optimizer.step()
    assert net.pooling.lambda_.item() == 100
    assert (net.backbone.weight != before).any()


def test_best_epoch_is_kept_and_restored() -> None:
    net = Net(build_pooling("avg"))
    seen: list[dict[str, Tensor]] = []
    errors = iter([40.0, 20.0, 20.0, 30.0])

    def validate(model: nn.Module) -> float:
        seen.append({key: value.clone() for key, value in model.state_dict().items()})
        return next(errors)

    rows: list[Epoch] = []
    result = run(net, validate, report=rows.append)
    # Of equals the earlier epoch, which the schedule has moved least.
    assert (result.best_epoch, result.best_error) == (2, 20.0)
    for key, value in net.state_dict().items():
        assert torch.equal(value, seen[1][key])
        assert torch.equal(value, result.best_state[key])
    assert any(not torch.equal(seen[1][key], seen[3][key]) for key in seen[1])
    assert rows == result.epochs
    assert [row.epoch for row in rows] == [1, 2, 3, 4]
    assert [row.learning_rate for row in rows] == pytest.approx([0.1, 0.1, 0.01, 0.001])
    assert {(row.active_triplets, row.spread) for row in rows} == {(0.5, 0.25)}


@pytest.mark.parametrize(("epochs", "every"), [(6, 2), (12, 5), (3, 10), (4, 1)])
def test_oracle_epochs_of_validation_of_the_authors_code(epochs: int, every: int) -> None:
    result = run(Net(build_pooling("avg")), lambda net: 10.0, epochs=epochs, validate_every=every)
    validated = [row.epoch for row in result.epochs if row.validation_error is not None]
    assert validated == [epoch + 1 for epoch in range(epochs) if epoch % every == 0]
    assert result.best_epoch == 1


def test_zero_epochs_validate_and_leave_the_model_as_it_is() -> None:
    net = Net(build_pooling("avg"))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    result = run(net, lambda net: 12.5, epochs=0)
    assert (result.epochs, result.best_epoch, result.best_error) == ([], 0, 12.5)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_errors_a_loss_that_is_no_number(value: float) -> None:
    calls = iter([1.0, 1.0, 1.0, value])

    def failing(model: nn.Module, x: Tensor, y: Tensor) -> StepResult:
        return StepResult(step(model, x, y).loss * next(calls))

    with pytest.raises(DivergedError, match=rf"loss is {value} in epoch 2, step 2: lower learn"):
        run(Net(build_pooling("avg")), lambda net: 1.0, step=failing)


def test_lambda_is_logged() -> None:
    net = Net(build_pooling("dgmp", lambda_init=50.0))
    row = run(net, lambda net: 1.0, epochs=1).epochs[0]
    assert row.pooling_parameter == pytest.approx(net.pooling.value.item())
    assert pooling_parameter(Net(build_pooling("avg"))) is None


@pytest.mark.parametrize("name", ["dgmp", "lse", "gem"])
def test_property_lambda_stays_positive_at_any_learning_rate(name: str) -> None:
    seed_everything(0)
    net = Net(build_pooling(name))
    push = iter([1e6, -1e6] * 20)

    def pushing(model: nn.Module, x: Tensor, y: Tensor) -> StepResult:
        return StepResult(step(model, x, y).loss + next(push) * model.pooling.value)

    optimizer = build_optimizer(net, OptimizerSettings(0.01, 0.0, pooling_multiplier=1e6))
    result = fit(
        net,
        optimizer,
        epochs=5,
        decay_start=5,
        batches=batches,
        step=pushing,
        validate=lambda net: 1.0,
        accelerator=Accelerator(cpu=True),
    )
    assert all(row.pooling_parameter > 0 for row in result.epochs)


def test_property_seeding_repeats_weights_and_draws() -> None:
    def draw(seed: int) -> tuple[list[float], list[float], float]:
        rng = seed_everything(seed)
        weights = nn.Linear(3, 1).weight.flatten().tolist()
        return weights, rng.random(3).tolist(), random.random()

    assert draw(1) == draw(1)
    assert all(one != other for one, other in zip(draw(1), draw(2), strict=True))


def test_determinism_on_a_gpu_is_asked_for_before_it_is_used(monkeypatch) -> None:
    # Without a GPU at hand: what seeding asks for where there is one.
    asked: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", asked.append)
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    seed_everything(0)
    assert asked == [True]
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_oracle_one_step_is_torchs() -> None:
    seed_everything(0)
    net = Net(build_pooling("mixed"))
    twin = Net(build_pooling("mixed"))
    twin.load_state_dict(net.state_dict())
    fit(
        net,
        build_optimizer(net, OptimizerSettings(0.01, 0.001, 10, 2)),
        epochs=1,
        decay_start=1,
        batches=partial(list, batches()[:1]),
        step=step,
        validate=lambda net: 1.0,
        accelerator=Accelerator(cpu=True),
    )
    groups = [
        {"params": twin.backbone.parameters()},
        {"params": twin.head.parameters(), "lr": 0.02},
        {"params": twin.pooling.parameters(), "lr": 0.1, "weight_decay": 0},
    ]
    optimizer = torch.optim.Adam(groups, lr=0.01, weight_decay=0.001, amsgrad=True)
    step(twin, *batches()[0]).loss.backward()
    optimizer.step()
    torch.testing.assert_close(net.state_dict(), twin.state_dict())


def rates_of_an_epoch(epoch: int, *, epochs: int, start: int, groups: list[float]) -> list[float]:
    """As the authors' loop sets them: above the start, one value for all groups."""
    if epoch < start:
        return groups
    base = groups[0]
    return [base * 0.001 ** ((epoch + 1 - start) / (epochs + 1 - start))] * len(groups)


def test_oracle_learning_rates_of_the_authors_writers() -> None:
    groups = [2e-4, 0.2]
    schedule = {"epochs": 120, "decay_start": 61}
    found = [learning_rates(groups, e, **schedule, keep_multipliers=False) for e in range(120)]
    expected = [rates_of_an_epoch(e, epochs=120, start=61, groups=groups) for e in range(120)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[60] == [2e-4, 0.2]
    assert found[61] == pytest.approx([1.7825e-4] * 2, rel=1e-4)
    assert found[119] == pytest.approx([2.244e-7] * 2, rel=1e-3)


def test_oracle_learning_rates_that_keep_their_multiplier() -> None:
    schedule = {"epochs": 300, "decay_start": 150, "keep_multipliers": True}
    found = np.array([learning_rates([2e-4, 0.2], e, **schedule) for e in range(300)])
    np.testing.assert_allclose(found[:, 1] / found[:, 0], 1000)
    assert (found[:150] == [2e-4, 0.2]).all()
    assert (np.diff(found[149:, 0]) < 0).all()


@pytest.mark.parametrize("keep", [True, False])
def test_training_uses_the_rates_of_each_epoch(keep: bool) -> None:
    net = Net(build_pooling("dgmp"))
    optimizer = build_optimizer(net, OptimizerSettings(0.01, 0.0, 100, 10))
    seen: list[list[float]] = []

    def watching(model: nn.Module, x: Tensor, y: Tensor) -> StepResult:
        seen.append([group["lr"] for group in optimizer.param_groups])
        return step(model, x, y)

    fit(
        net,
        optimizer,
        epochs=4,
        decay_start=2,
        batches=lambda: batches()[:1],
        step=watching,
        validate=lambda net: 1.0,
        accelerator=Accelerator(cpu=True),
        keep_multipliers=keep,
    )
    start = [0.01, 0.1, 1.0]
    late = start if keep else [0.01] * 3
    expected = [start, start, *([rate * f for rate in late] for f in (0.1, 0.01))]
    np.testing.assert_allclose(seen, expected)


def test_weight_decay_of_the_pooling_is_a_setting() -> None:
    net = Net(build_pooling("dgmp", lambda_init=100.0))
    optimizer = build_optimizer(net, OptimizerSettings(0.01, 0.5, pooling_weight_decay=0.25))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.5, 0.25]
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert net.pooling.lambda_.item() < 100


def test_the_last_model_instead_of_the_best() -> None:
    net = Net(build_pooling("avg"))
    errors = iter([20.0, 10.0, 30.0])
    states: list[dict[str, Tensor]] = []

    def validate(model: nn.Module) -> float:
        states.append({key: value.clone() for key, value in model.state_dict().items()})
        return next(errors)

    result = run(net, validate, epochs=3, restore_best=False)
    assert (result.best_epoch, result.best_error) == (2, 10.0)
    torch.testing.assert_close(net.state_dict(), states[2], rtol=0, atol=0)
    assert any(not torch.equal(states[1][key], states[2][key]) for key in states[1])
