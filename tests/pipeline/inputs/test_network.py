"""The network of a task: what comes before the trained part, and what a run saves."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dgmp.learning.backbones.base import Trunk
from dgmp.learning.models import DescriptorNet, Rescale, Standardize, trained_state
from dgmp.pooling.registry import build_pooling
from pipeline.inputs.network import load_trained, network_parts

WHOLE = {"writers__trainable": None, "scripts_a__trainable": None}


def tones(preparation: nn.Module) -> list[float]:
    (found,) = (module for module in preparation if isinstance(module, Standardize))
    return [found.mean.item(), found.sd.item()]


def test_images_are_standardized_by_the_training_images_or_the_settings(frozen):
    params = frozen(**WHOLE)
    for task in ("writers", "scripts_a"):
        assert tones(network_parts(params, task).preparation) == pytest.approx([0.8, 0.4])
    params = frozen(writers__standardize=False, scripts_a__mean=0.7, scripts_a__sd=0.2)
    assert tones(network_parts(params, "writers").preparation) == [0, 1]
    assert tones(network_parts(params, "scripts_a").preparation) == pytest.approx([0.7, 0.2])


@pytest.mark.parametrize(("resize", "scale"), [(None, 1), (24, 0.75), (32, 1)])
def test_patches_are_scaled_to_the_size_of_the_settings(frozen, resize, scale):
    rescale = network_parts(frozen(writers__resize=resize), "writers").preparation[0]
    assert isinstance(rescale, Rescale)
    assert rescale.scale == scale


@torch.no_grad()
def test_oracle_preparation_and_blocks_are_the_starting_network(frozen):
    image = torch.randint(0, 2, (2, 1, 32, 32), dtype=torch.uint8)
    whole = network_parts(frozen(**WHOLE), "writers")
    start = load_file("data/scribes/weights/backbone.safetensors")
    torch.testing.assert_close(whole.backbone.state_dict(), start, rtol=0, atol=0)
    assert not any(isinstance(module, Trunk) for module in whole.preparation)
    cut = network_parts(frozen(), "writers")
    assert isinstance(cut.preparation[-1], Trunk)
    assert len(cut.backbone.blocks) == 2
    expected, found = (parts.backbone.eval()(parts.preparation(image)) for parts in (whole, cut))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_what_a_run_saved_is_loaded_over_the_preparation(frozen, tmp_path):
    params, pooling = frozen(), build_pooling("dgmp", lambda_init=3.0)
    parts = network_parts(params, "writers")
    for weight in parts.backbone.parameters():
        nn.init.normal_(weight)
    # Trained on activations, loaded over images.
    trained = DescriptorNet(nn.Identity(), parts.backbone, pooling)
    save_file(trained_state(trained), tmp_path / "weights.safetensors")
    fresh = network_parts(params, "writers")
    net = DescriptorNet(fresh.preparation, fresh.backbone, build_pooling("dgmp"))
    load_trained(net, tmp_path / "weights.safetensors")
    torch.testing.assert_close(trained_state(net), trained_state(trained), rtol=0, atol=0)
    other = DescriptorNet(fresh.preparation, fresh.backbone, build_pooling("avg"))
    with pytest.raises(ValueError, match=r"was made by another network: run the stage train again"):
        load_trained(other, tmp_path / "weights.safetensors")
