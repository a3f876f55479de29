"""The poolings as a network's own global pooling: of a map, or of tokens."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dgmp.pooling import build_pooling
from dgmp.pooling.base import GlobalPooling

ClassToken = Literal["out", "apart"]
"""What becomes of the class token: it is left out, or stands before the pooled descriptor."""


class MapPooling(nn.Module):
    """A pooling in the place of a network's global pooling of an activation map.

    It has the attributes that the heads of timm read: `pool_type`, `feat_mult`, `is_identity`.

    Args:
        name: One of `dgmp.POOLINGS`.
        channels_last: Whether the map is (B, *spatial, D).
        kept_axes: How many spatial axes the output has, of length 1: 0 for (B, D), or as many as
            the input.
        settings: Keyword arguments of the layer.

    Examples:
        >>> pool = MapPooling("dgmp", kept_axes=2, lambda_init=5.0)
        >>> pool(torch.rand(2, 8, 3, 3)).shape
        torch.Size([2, 8, 1, 1])
    """

    def __init__(
        self,
        name: str,
        *,
        channels_last: bool = False,
        kept_axes: int = 0,
        **settings: float | bool | None,
    ) -> None:
        super().__init__()
        self.pool_type = name
        self.kept_axes = kept_axes
        self.pooling: GlobalPooling = build_pooling(name, channels_last=channels_last, **settings)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pooling(x)
        for _ in range(self.kept_axes):
            pooled = pooled.unsqueeze(1 if self.pooling.channels_last else -1)
        return pooled

    def feat_mult(self) -> int:
        """How many values of the output there are for a map: 1."""
        return 1

    def is_identity(self) -> bool:
        """Whether nothing is pooled: False."""
        return False

    def extra_repr(self) -> str:
        return f"kept_axes={self.kept_axes}"


class TokenPooling(nn.Module):
    """A pooling of the tokens of a transformer, without those before the patches.

    Args:
        name: One of `dgmp.POOLINGS`.
        prefix_tokens: How many tokens there are before those of the patches: class token and
            registers. They are not pooled.
        class_token: "out" leaves all of them out; "apart" puts the first of them, the class token,
            before the pooled descriptor.
        settings: Keyword arguments of the layer.

    Raises:
        ValueError: class_token is neither, or is "apart" without a prefix token; prefix_tokens is
            negative.

    Examples:
        >>> pool = TokenPooling("dgmp", prefix_tokens=1, class_token="apart")
        >>> mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
        >>> pool(torch.rand(2, 5, 8), mask).shape
        torch.Size([2, 16])
    """

    def __init__(
        self,
        name: str,
        *,
        prefix_tokens: int = 0,
        class_token: ClassToken = "out",
        **settings: float | bool | None,
    ) -> None:
        super().__init__()
        if class_token not in ("out", "apart"):
            raise ValueError(f"class_token must be 'out' or 'apart', got {class_token!r}")
        if prefix_tokens < 0:
            raise ValueError(f"prefix_tokens must not be negative, got {prefix_tokens}")
        if class_token == "apart" and prefix_tokens < 1:
            raise ValueError("class_token is 'apart', but the network has none: use 'out'")
        self.pool_type = name
        self.prefix_tokens = prefix_tokens
        self.class_token = class_token
        self.pooling: GlobalPooling = build_pooling(name, channels_last=True, **settings)

    def forward(self, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Pool tokens.

        Args:
            tokens: (B, N, D), the prefix first.
            attention_mask: Positive at the tokens that count, (B, N), with the prefix. An additive
                mask (0 and large negative numbers) has none.

        Returns:
            (B, D), with `class_token` "apart" (B, 2 D).

        Raises:
            ValueError: the tokens are not (B, N, D); the mask has another shape, or leaves a sample
                without token.
        """
        if tokens.ndim != 3:
            raise ValueError(f"tokens must be (B, N, D), got {tuple(tokens.shape)}")
        mask = None
        if attention_mask is not None:
            if attention_mask.shape != tokens.shape[:2]:
                raise ValueError(
                    f"attention_mask must be {tuple(tokens.shape[:2])}, one value for each token, "
                    f"got {tuple(attention_mask.shape)}"
                )
            mask = (attention_mask > 0)[:, self.prefix_tokens :]
        pooled: Tensor = self.pooling(tokens[:, self.prefix_tokens :], mask=mask)
        return pooled if self.class_token == "out" else torch.cat([tokens[:, 0], pooled], dim=1)

    def extra_repr(self) -> str:
        return f"prefix_tokens={self.prefix_tokens}, class_token={self.class_token!r}"
