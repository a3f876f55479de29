"""The pooling in networks of transformers, small and without weights."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from dgmp import DGMP
from dgmp.integrations import replace_pooling

transformers = pytest.importorskip("transformers")

TRANSFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
VIT = {**TRANSFORMER, "image_size": 32, "patch_size": 8}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1]}
SWIN = {"image_size": 32, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4}
CONFIGS = {
    "Beit": VIT,
    "Bert": {**TRANSFORMER, "vocab_size": 20},
    "ConvNext": {**STAGES, "num_stages": 2},
    "DINOv3ViT": {**VIT, "num_register_tokens": 3},
    "DeiT": VIT,
    "Dinov2": VIT,
    "Dinov2WithRegisters": {**VIT, "num_register_tokens": 3},
    "EfficientNet": {
        "hidden_dim": 320,
        "width_coefficient": 0.25,
        "depth_coefficient": 0.25,
        "initializer_range": 0.5,
    },
    "ResNet": {**STAGES, "embedding_size": 8},
    "RegNet": {**STAGES, "embedding_size": 8, "groups_width": 8},
    "Swin": SWIN,
    "ViT": VIT,
}
MAPS = ("ConvNext", "EfficientNet", "RegNet", "ResNet")
PREFIX = {"Beit": 1, "DINOv3ViT": 4, "DeiT": 2, "Dinov2": 1, "Dinov2WithRegisters": 4, "ViT": 1}
X = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def network(name: str, kind: str = "Model", **settings) -> nn.Module:
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**CONFIGS[name], **settings)
    return getattr(transformers, f"{name}{kind}")(config).eval()


def inputs(name: str) -> Tensor:
    if name == "Bert":
        return torch.arange(12).reshape(2, 6)
    return nn.functional.interpolate(X, scale_factor=2) if name == "EfficientNet" else X


def wanted(model: nn.Module, name: str, hidden: Tensor) -> Tensor:
    if name in MAPS:
        pooled = DGMP(5.0)(hidden)
        return model.layernorm(pooled) if name == "ConvNext" else pooled
    return DGMP(5.0)(hidden[:, PREFIX.get(name, 0) :].mT)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_layer_pools_the_last_hidden_state(name: str) -> None:
    model = network(name)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    output = model(inputs(name))
    found = output.pooler_output.flatten(1)
    torch.testing.assert_close(found, wanted(model, name, output.last_hidden_state))
    torch.testing.assert_close(output[1].flatten(1), found)
    hidden, pooled, *_ = model(inputs(name), return_dict=False)
    torch.testing.assert_close((hidden, pooled), (output.last_hidden_state, output[1]))
    (found * torch.randn(found.shape[1])).sum().backward()
    assert done.module.pooling.lambda_.grad.abs() > 0


@pytest.mark.parametrize("name", CONFIGS)
def test_copies_and_state_dicts(name: str) -> None:
    model, x = network(name), inputs(name)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(other(x).pooler_output, model(x).pooler_output)
        replace_pooling(other, "max")
        assert (other(x).pooler_output != model(x).pooler_output).any()
        assert model.get_submodule(done.path) is done.module
    fresh = network(name)
    replace_pooling(fresh, "dgmp", lambda_init=7.0)
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x).pooler_output, model(x).pooler_output)


@pytest.mark.parametrize("name", ["Beit", "ConvNext", "ResNet", "Swin"])
def test_a_classifier_gets_what_is_pooled(name: str) -> None:
    model = network(name, "ForImageClassification", num_labels=5)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    assert done.path.startswith(f"{model.base_model_prefix}.")
    pooled = model.base_model(X).pooler_output
    scores = model(X).logits
    torch.testing.assert_close(model.classifier(pooled), scores)
    (scores * torch.randn(5)).sum().backward()
    assert done.module.pooling.lambda_.grad.abs() > 0
    with pytest.raises(ValueError, match=r"has no class token|has a Linear behind its pooling"):
        replace_pooling(model, "dgmp", class_token="apart")


@pytest.mark.parametrize("name", ["Bert", "Dinov2", "ViT"])
def test_what_is_masked_is_not_pooled(name: str) -> None:
    model, x = network(name), inputs(name)
    replace_pooling(model, "dgmp", lambda_init=5.0)
    length = model(x).last_hidden_state.shape[1]
    mask = torch.ones(2, length, dtype=torch.long)
    mask[1, 4:] = 0
    output = model(x, attention_mask=mask)
    hidden = output.last_hidden_state
    torch.testing.assert_close(output.pooler_output[:1], wanted(model, name, hidden[:1]))
    torch.testing.assert_close(output.pooler_output[1:], wanted(model, name, hidden[1:, :4]))
    if name == "Bert":  # by its place
        torch.testing.assert_close(model(x, mask).pooler_output, output.pooler_output)


def test_padding_does_not_matter() -> None:
    model = network("Bert")
    replace_pooling(model, "dgmp", lambda_init=5.0)
    short = torch.tensor([[3, 4, 5]])
    padded = torch.tensor([[3, 4, 5, 0, 0]])
    found = model(padded, attention_mask=(padded != 0).long()).pooler_output
    torch.testing.assert_close(found, model(short).pooler_output)


def test_the_class_token_stands_apart() -> None:
    model = network("Dinov2WithRegisters")
    replace_pooling(model, "dgmp", class_token="apart", lambda_init=5.0)
    output = model(X)
    tokens = output.last_hidden_state
    expected = torch.cat([tokens[:, 0], DGMP(5.0)(tokens[:, 4:].mT)], dim=1)
    torch.testing.assert_close(output.pooler_output, expected)


def test_what_is_saved_holds_lambda(tmp_path) -> None:
    from safetensors.torch import load_file

    model = network("ViT")
    replace_pooling(model, "dgmp", lambda_init=5.0)
    model.save_pretrained(tmp_path)
    fresh = transformers.ViTModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    replace_pooling(fresh, "dgmp")
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=False)
    assert fresh.pooling.pooling.value == 5
    torch.testing.assert_close(fresh(X).pooler_output, model(X).pooler_output)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("ViT", "ForImageClassification", "ViTForImageClassification classifies tokens"),
        ("Dinov2", "ForImageClassification", "use Dinov2Model, and a classifier"),
        ("ViT", "ForMaskedImageModeling", "reads in its own forward"),
        ("Dinov2", "Backbone", "Dinov2Backbone of transformers has no module pooler"),
    ],
)
def test_what_is_not_understood_is_refused(name: str, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace_pooling(network(name, kind))


def test_tokens_of_text_and_image_are_refused() -> None:
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.ViltConfig(**small, intermediate_size=8, vocab_size=20, image_size=64)
    model = transformers.ViltModel(config)
    before = repr(model)
    with pytest.raises(ValueError, match="ViltModel of transformers has tokens of text and image"):
        replace_pooling(model)
    assert repr(model) == before


def test_advice_is_such_that_it_can_be_followed() -> None:
    config = transformers.DINOv3ConvNextConfig(hidden_sizes=[8] * 4, depths=[1] * 4)
    with pytest.raises(ValueError, match=r"DINOv3ConvNextModel.*call the layer.*hidden_state"):
        replace_pooling(transformers.DINOv3ConvNextModel(config))
    config = transformers.TimmWrapperConfig(architecture="resnet10t")
    model = transformers.TimmWrapperModel(config)
    with pytest.raises(ValueError, match="give its timm_model"):
        replace_pooling(model)
    assert replace_pooling(model.timm_model).path == "global_pool"


def test_a_module_of_the_adapters_name_is_not_overwritten() -> None:
    model = network("ViT")
    model.pooling = nn.Identity()
    with pytest.raises(ValueError, match="ViTModel of transformers has a module pooling"):
        replace_pooling(model)
