import multiprocessing
from functools import partial
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import nn

from dgmp.learning.backbones.resnet import narrow_resnet, resnet50
from dgmp.learning.models import DescriptorNet, Standardize
from dgmp.learning.processes import ALONE, Processes
from dgmp.pooling.registry import build_pooling
from pipeline.shared.settings.training import Compute
from pipeline.training.compute import build_accelerator, prepare
from tests.pipeline.training.toy import run_stage

PLAIN = {"precision": "fp32", "channels_last": False, "compile": False}


def network() -> DescriptorNet:
    torch.manual_seed(0)
    return DescriptorNet(Standardize(0.5, 0.5), narrow_resnet(2), build_pooling("dgmp"))


def computing(**changes: Any) -> Compute:
    return Compute(**PLAIN | changes)


@pytest.mark.parametrize("changes", [{"channels_last": True}, {"compile": True}])
def test_property_weights_keep_names_and_values(changes):
    before, after = network(), prepare(network(), computing(**changes), ALONE)
    torch.testing.assert_close(after.state_dict(), before.state_dict(), rtol=0, atol=0)
    assert list(after.state_dict()) == list(before.state_dict())


@pytest.mark.parametrize("backbone", [partial(narrow_resnet, 2), resnet50])
@pytest.mark.parametrize("wanted", [True, False])
def test_activations_lie_in_memory_as_wanted(backbone, wanted):
    net = nn.Sequential(backbone())
    prepare(net, computing(channels_last=wanted), ALONE)
    volume = net(torch.rand(2, 1, 64, 64))
    assert volume.is_contiguous(memory_format=torch.channels_last) == wanted


def test_batch_statistics_are_synchronized_between_gpus_only():
    def kinds(processes: Processes) -> set[type]:
        modules = prepare(network(), computing(), processes).modules()
        return {type(m) for m in modules if "BatchNorm" in type(m).__name__}

    gpu = torch.device("cuda")
    assert kinds(Processes(1, 2, gpu)) == {nn.SyncBatchNorm}
    assert kinds(Processes(0, 1, gpu)) == kinds(Processes(0, 2)) == {nn.BatchNorm2d}
    synchronized = prepare(network(), computing(), Processes(1, 2, gpu)).state_dict()
    torch.testing.assert_close(synchronized, network().state_dict(), rtol=0, atol=0)


def check_bf16() -> None:
    torch.set_num_threads(1)  # several would wait for those that the fork has left behind
    # Accelerate knows one precision a process, and may have been used by other tests.
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = build_accelerator(computing(precision="bf16"))
    plain = network().eval()
    mixed = accelerator.prepare(network()).eval()
    inner: list[torch.dtype] = []
    mixed.backbone.blocks[0][0].register_forward_hook(lambda m, x, y: inner.append(y.dtype))
    pooled: list[torch.dtype] = []
    mixed.pooling.register_forward_pre_hook(lambda m, x: pooled.append(x[0].dtype))
    images = torch.rand(4, 1, 64, 64)
    found, expected = mixed(images), plain(images)
    assert inner == [torch.bfloat16]
    assert pooled == [torch.float32]
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)
    found.sum().backward()
    assert {p.grad.dtype for p in mixed.parameters() if p.grad is not None} == {torch.float32}


def test_bf16_is_for_the_backbone_alone():
    child = multiprocessing.get_context("fork").Process(target=check_bf16)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_a_launchers_own_settings_do_not_count(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR")
    accelerator = build_accelerator(computing())
    assert accelerator.mixed_precision == "no"
    net = network()
    assert accelerator.prepare(net) is net


@pytest.mark.slow
def test_rehearsal_each_setting_trains_to_much_the_same(params):
    plain, plain_log, _ = run_stage()
    for changes, tolerance in (
        ({"channels_last": False}, 1e-3),
        ({"precision": "bf16"}, 0.1),
        ({"compile": True}, 1e-3),
    ):
        changed, log, record = run_stage(**changes)
        assert changed.keys() == plain.keys()
        assert record["compute"].items() >= changes.items()
        assert any(not torch.equal(changed[key], plain[key]) for key in plain), changes
        assert log.loss.to_numpy() == pytest.approx(plain_log.loss.to_numpy(), abs=tolerance)
