"""The function that docs/integrations.md gives for NumPy, JAX and Keras."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dgmp import DGMP

DOCS = Path(__file__).parents[3] / "docs" / "integrations.md"
SHAPES = [(2, 6, 10), (2, 10, 6)]


def documented() -> Callable[..., Any]:
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    (example,) = [text for text in examples if "def generalized_max_pool" in text]
    names: dict[str, Any] = {}
    exec(example, names)  # part of the project
    return names["generalized_max_pool"]


def tokens(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def layer(x: np.ndarray) -> np.ndarray:
    return DGMP(5.0, channels_last=True)(torch.from_numpy(x)).detach().numpy()


@pytest.mark.parametrize("shape", SHAPES)
def test_numpy(shape: tuple[int, ...]) -> None:
    x = tokens(shape)
    np.testing.assert_allclose(documented()(np, x, 5.0), layer(x), rtol=1e-4)
    masked = np.concatenate([x, np.zeros_like(x)], axis=1)
    np.testing.assert_allclose(documented()(np, masked, 5.0), layer(x), rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_jax_and_its_gradients(shape: tuple[int, ...]) -> None:
    jax = pytest.importorskip("jax")
    x = tokens(shape)
    weights = np.arange(shape[2], dtype=np.float32)

    def loss(phi, lam):
        return (documented()(jax.numpy, phi, lam) * weights).sum()

    np.testing.assert_allclose(documented()(jax.numpy, x, 5.0), layer(x), rtol=1e-4)
    found = jax.jit(jax.grad(loss, argnums=(0, 1)))(x, 5.0)
    pool, phi = DGMP(5.0, channels_last=True), torch.from_numpy(x).requires_grad_()
    (pool(phi) * torch.from_numpy(weights)).sum().backward()
    np.testing.assert_allclose(found[0], phi.grad.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], pool.lambda_.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_keras(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    x = tokens(shape)
    found = documented()(keras.ops, keras.ops.convert_to_tensor(x), 5.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), layer(x), rtol=1e-4)
