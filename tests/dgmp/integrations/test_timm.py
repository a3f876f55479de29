"""The pooling in networks of timm, small and without weights."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from dgmp import DGMP
from dgmp.integrations import TokenPooling, replace_pooling

timm = pytest.importorskip("timm")

SWIN = {"img_size": 32, "window_size": 4, "embed_dim": 8, "depths": (1, 1), "num_heads": (1, 2)}
VIT = {"img_size": 32, "embed_dim": 24, "depth": 1, "num_heads": 2}
DENSE = {"block_config": (1, 1, 1, 1), "growth_rate": 8}
MAPS = {
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (8, 8, 16, 16)},
    "densenet121": DENSE,
    "maxvit_rmlp_pico_rw_256": {"img_size": 64},
    "mobilenetv3_small_050": {},
    "regnety_002": {},
    "resnet18": {"layers": (1, 1, 1, 1), "channels": (8, 8, 16, 16)},
    "resnext50_32x4d": {"layers": (1, 1, 1, 1), "cardinality": 2, "base_width": 8},
    "swin_tiny_patch4_window7_224": SWIN,
    "test_efficientnet": {},
    "vgg11": {"cfg": [8, "M", 16, "M"]},
}
TOKENS = {
    "deit_tiny_patch16_224": VIT,
    "deit3_small_patch16_224": VIT,
    "eva02_tiny_patch14_224": {**VIT, "img_size": 28},
    "vit_small_patch14_reg4_dinov2": {**VIT, "img_size": 28},
    "vit_tiny_patch16_224": VIT,
}
CHANNELS_LAST = ("swin_tiny_patch4_window7_224",)


def network(name: str, **settings) -> nn.Module:
    torch.manual_seed(0)
    given = {"num_classes": 5, **(MAPS | TOKENS)[name], **settings}
    if name == "vgg11":
        given.pop("cfg")
        return timm.models.vgg.VGG(MAPS[name]["cfg"], mlp_ratio=0.01, **given).eval()
    return timm.create_model(name, **given).eval()


def images(name: str) -> Tensor:
    size = (MAPS | TOKENS)[name].get("img_size", 64)
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def lambdas(model: nn.Module) -> list[str]:
    return [name for name in model.state_dict() if name.endswith("lambda_")]


def pooled_and_wanted(model: nn.Module, adapter: nn.Module, x: Tensor, name: str):
    """What the adapter makes in a call of the network, and the layer of the network's features."""
    seen = []
    handle = adapter.register_forward_hook(lambda *call: seen.append(call[2]))
    model(x)
    handle.remove()
    features = model.forward_features(x)
    if name == "vgg11":
        features = model.pre_logits(features)
    if name in TOKENS:
        features = features[:, model.num_prefix_tokens :].mT
    elif name in CHANNELS_LAST:
        features = features.permute(0, 3, 1, 2)
    return seen[0].flatten(1), DGMP(5.0)(features)


@pytest.mark.parametrize("name", [*MAPS, *TOKENS])
def test_the_layer_pools_the_features(name: str) -> None:
    model, x = network(name), images(name)
    told = str(done := replace_pooling(model, "dgmp", lambda_init=5.0))
    assert told.startswith(("attn_pool: global_pool=", "global_pool: Sel", "head.global_pool: Sel"))
    found, wanted = pooled_and_wanted(model, done.module, x, name)
    torch.testing.assert_close(found, wanted)
    scores = model(x)
    assert scores.shape == (2, 5)
    torch.testing.assert_close(model.forward_head(model.forward_features(x)), scores)
    (scores * torch.randn(5)).sum().backward()
    assert done.module.pooling.lambda_.grad.abs() > 0


@pytest.mark.parametrize("name", [*MAPS, *TOKENS])
def test_a_new_classifier_keeps_the_pooling(name: str) -> None:
    model, x = network(name), images(name)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    for classes in (3, 0):
        model.reset_classifier(classes)
        assert model.get_submodule(done.path) is done.module
        assert model(x).shape == (2, classes or model.head_hidden_size)
    model.reset_classifier(4, "dgmp")
    assert model.get_submodule(done.path) is done.module
    model.reset_classifier(4, "avg")
    assert not lambdas(model)
    wanted = network(name)
    wanted.reset_classifier(4, "avg")
    wanted.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(x), wanted(x))
    model.reset_classifier(2)
    assert model(x).shape == (2, 2)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_without_classifier_the_descriptor_comes_out(name: str) -> None:
    model, x = network(name, num_classes=0), images(name)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    found, _ = pooled_and_wanted(model, done.module, x, name)
    if name == "convnext_atto":
        found = model.head.norm(found[:, :, None, None]).flatten(1)
    torch.testing.assert_close(model(x), found)
    torch.testing.assert_close(
        model.forward_head(model.forward_features(x), pre_logits=True), found
    )


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224", *TOKENS])
def test_copies_and_state_dicts(name: str) -> None:
    model, x = network(name), images(name)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(other(x), model(x))
        other.reset_classifier(3)
        assert lambdas(other) == [f"{done.path}.pooling.lambda_"]
        assert other.get_submodule(done.path) is not done.module
    assert model(x).shape == (2, 5)
    fresh = network(name)
    replace_pooling(fresh, "dgmp", lambda_init=7.0)
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x), model(x))


def test_a_pooling_can_be_replaced_again_and_takes_the_mode_of_the_network() -> None:
    model = network("resnet18")
    assert not replace_pooling(model, "dgmp").module.training
    told = str(replace_pooling(model.train(), "gem", p_init=2.0))
    assert told == (
        "global_pool: DGMP (parameters: 1) -> GeneralizedMeanPooling(p=2, learnable=True)"
    )
    assert not lambdas(model)
    assert model.global_pool.training


def test_the_class_token_stands_apart() -> None:
    name = "vit_small_patch14_reg4_dinov2"
    model, x = network(name, num_classes=0), images(name)
    replace_pooling(model, "dgmp", class_token="apart", lambda_init=5.0)
    tokens = model.forward_features(x)
    wanted = torch.cat([tokens[:, 0], DGMP(5.0)(tokens[:, 5:].mT)], dim=1)
    torch.testing.assert_close(model(x), wanted)
    with pytest.raises(ValueError, match="num_classes must be 0, got 3"):
        model.reset_classifier(3)
    with pytest.raises(ValueError, match="has a Linear behind its pooling"):
        replace_pooling(network(name), "dgmp", class_token="apart")
    with pytest.raises(ValueError, match="pools a map, which has no class token"):
        replace_pooling(network("resnet18"), "dgmp", class_token="apart")


def test_masked_tokens_are_those_of_the_crop() -> None:
    torch.manual_seed(2)
    tokens, mask = torch.rand(2, 9, 6), torch.ones(2, 9, dtype=torch.long)
    mask[1, 6:] = 0
    for class_token in ("out", "apart"):
        pool = TokenPooling("dgmp", prefix_tokens=2, class_token=class_token, lambda_init=5.0)
        torch.testing.assert_close(pool(tokens, mask)[:1], pool(tokens[:1]))
        torch.testing.assert_close(pool(tokens, mask)[1:], pool(tokens[1:, :6]))
    with pytest.raises(ValueError, match=r"attention_mask must be \(2, 9\).*got \(2, 1, 9, 9\)"):
        pool(tokens, torch.ones(2, 1, 9, 9))
    with pytest.raises(ValueError, match="class_token must be 'out' or 'apart', got 'in'"):
        TokenPooling("dgmp", prefix_tokens=1, class_token="in")
    with pytest.raises(ValueError, match="leaves no location"):
        pool(tokens, (mask - 1) * 1e9)  # one to be added to similarities
    with pytest.raises(ValueError, match=r"tokens must be \(B, N, D\), got \(2, 3, 3, 6\)"):
        pool(tokens.unflatten(1, (3, 3)))
    with pytest.raises(ValueError, match="prefix_tokens must not be negative, got -1"):
        TokenPooling("dgmp", prefix_tokens=-1)
    with pytest.raises(ValueError, match="the network has none"):
        TokenPooling("dgmp", class_token="apart")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("beit_base_patch16_224", VIT, "Beit of timm has no module global_pool"),
        ("deit_tiny_distilled_patch16_224", VIT, "classifies two of its tokens"),
        ("resnet10t", {"global_pool": "catavgmax"}, r"makes \(1, 4\) of a map"),
        ("resnet10t", {"num_classes": 0, "global_pool": ""}, r"makes \(1, 2, 3, 5\) of a map"),
        ("resnet10t", {"features_only": True}, "FeatureListNet of timm has no module"),
    ],
)
def test_what_is_not_understood_is_refused_and_left_as_it_was(name, settings, message) -> None:
    model = timm.create_model(name, **settings)
    before = repr(model)
    with pytest.raises(ValueError, match=message):
        replace_pooling(model)
    assert repr(model) == before


def test_an_unknown_setting_is_told_and_leaves_the_network_as_it_was() -> None:
    model = network("resnet18")
    before = repr(model)
    with pytest.raises(TypeError, match="has no setting lamda"):
        replace_pooling(model, "dgmp", lamda=3.0)
    with pytest.raises(TypeError, match="channels_last is no setting here"):
        replace_pooling(model, "dgmp", channels_last=True)
    with pytest.raises(ValueError, match=r"give the network in it, e\.g\. model\.module"):
        replace_pooling(torch.nn.DataParallel(model))
    with pytest.raises(ValueError, match="no pooling 'gmp'"):
        replace_pooling(model, "gmp")
    assert repr(model) == before
