"""Networks with a replaced pooling under torch.compile and as ONNX; run last, as all compilers."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from dgmp.integrations import replace_pooling

pytestmark = pytest.mark.compiler

X = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class FromTransformers(nn.Module):
    """The pooled output alone, which ONNX can return."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.network(x).pooler_output
        return pooled


def of_timm(name: str, **settings) -> nn.Module:
    timm = pytest.importorskip("timm")
    return timm.create_model(name, num_classes=3, **settings)


def of_transformers(name: str) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{name}Config")(
        image_size=32,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    return getattr(transformers, f"{name}Model")(config)


def blocks() -> list[models.convnext.CNBlockConfig]:
    return [models.convnext.CNBlockConfig(8, 16, 1), models.convnext.CNBlockConfig(16, None, 1)]


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "timm, map": lambda: of_timm("test_resnet"),
    "timm, map with channels last": lambda: of_timm(
        "swin_tiny_patch4_window7_224",
        img_size=32,
        window_size=4,
        embed_dim=8,
        depths=(1, 1),
        num_heads=(1, 2),
    ),
    "timm, tokens": lambda: of_timm(
        "vit_tiny_patch16_224", img_size=32, embed_dim=24, depth=1, num_heads=2
    ),
    "torchvision, a module": lambda: models.ConvNeXt(blocks(), num_classes=3),
    "torchvision, in forward": lambda: models.DenseNet(4, (1, 1), 8, num_classes=3),
    "torchvision, tokens": lambda: models.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=3),
    "transformers, tokens": lambda: of_transformers("ViT"),
}
COMPILED_ONLY = ("torchvision, a module", "torchvision, tokens")


def network(name: str, **settings) -> nn.Module:
    torch.manual_seed(0)
    model = NETWORKS[name]().eval()
    replace_pooling(model, "dgmp", lambda_init=5.0, **settings)
    for parameter in model.parameters():  # torchvision's transformer starts with zeros
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=0.2)
    return FromTransformers(model) if name.startswith("transformers") else model


@pytest.mark.parametrize("name", NETWORKS)
def test_compile(name: str) -> None:
    torch.compiler.reset()
    model = network(name)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(X), model(X), rtol=1e-4, atol=1e-5)


# One of each kind: an export takes 2 to 4 s.
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in COMPILED_ONLY])
def test_onnx(name: str, tmp_path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    # The exporter takes over a minute for the 128 steps of the default.
    model = network(name, cg_iterations=8)
    file = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (X,), file, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), model(X), rtol=1e-3, atol=1e-4)
