"""Pooling of the tokens of a sentence, as a module of sentence-transformers (read at 6.2.0)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from dgmp.pooling import build_pooling


class SentencePooling(nn.Module):
    """What takes the place of `Pooling` in a `SentenceTransformer`, saved and loaded with it.

    Args:
        embedding_dimension: Of the tokens, and so of the sentences.
        name: One of `dgmp.POOLINGS`.
        include_prompt: Whether the tokens of a prompt are pooled too.
        settings: Keyword arguments of the layer.

    Examples:
        >>> pool = SentencePooling(8, "dgmp", relative=True)
        >>> mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
        >>> features = {"token_embeddings": torch.rand(2, 3, 8), "attention_mask": mask}
        >>> pool(features)["sentence_embedding"].shape
        torch.Size([2, 8])
    """

    CONFIG, WEIGHTS = "config.json", "model.safetensors"

    def __init__(
        self,
        embedding_dimension: int,
        name: str = "dgmp",
        *,
        include_prompt: bool = True,
        **settings: float | bool | None,
    ) -> None:
        super().__init__()
        self.embedding_dimension = embedding_dimension
        self.name = name
        self.include_prompt = include_prompt
        self.settings = settings
        self.pooling = build_pooling(name, channels_last=True, **settings)

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Add `sentence_embedding` (B, D) to `token_embeddings` (B, N, D).

        Tokens with an `attention_mask` (B, N) of zero are not pooled, nor are those of the prompt
        (`prompt_length`) without `include_prompt`. Sentences that follow one another in a single
        row, as flash attention leaves them, are told by `cu_seq_lens_q`.

        Raises:
            ValueError: a sentence has no token left.
        """
        tokens: Tensor = features["token_embeddings"]
        if "cu_seq_lens_q" in features:
            tokens, mask = _padded(tokens[0], features["cu_seq_lens_q"].diff())
        else:
            given = features.get("attention_mask")
            if given is None or given.shape != tokens.shape[:2]:
                given = torch.ones(tokens.shape[:2], device=tokens.device)
            mask = given != 0
        if not self.include_prompt and "prompt_length" in features:
            # A number, or as many equal ones as there are sentences.
            length = int(torch.as_tensor(features["prompt_length"]).flatten()[0])
            mask = mask & (mask.cumsum(dim=1) > length)
        features["sentence_embedding"] = self.pooling(tokens, mask=mask)
        return features

    def get_embedding_dimension(self) -> int:
        """How many values a sentence has."""
        return self.embedding_dimension

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Write settings and parameters into the folder, as sentence-transformers asks for."""
        from safetensors.torch import save_file

        config = {
            "embedding_dimension": self.embedding_dimension,
            "name": self.name,
            "include_prompt": self.include_prompt,
            **self.settings,
        }
        folder = Path(output_path)
        (folder / self.CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
        save_file(self.state_dict(), folder / self.WEIGHTS)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> Self:
        """What `save` wrote, on the disk or on the Hub, as sentence-transformers asks for."""
        from safetensors.torch import load_file
        from sentence_transformers.util import load_file_path

        names = ("token", "cache_folder", "revision", "local_files_only")
        access = {name: kwargs[name] for name in names if name in kwargs}
        found = {
            filename: load_file_path(model_name_or_path, filename, subfolder=subfolder, **access)
            for filename in (cls.CONFIG, cls.WEIGHTS)
        }
        config, weights = found[cls.CONFIG], found[cls.WEIGHTS]
        if config is None or weights is None:
            missing = ", ".join(filename for filename, path in found.items() if path is None)
            raise FileNotFoundError(
                f"{model_name_or_path} has no {missing} in {subfolder or 'its root'}: "
                "save the model again with SentenceTransformer.save"
            )
        module = cls(**json.loads(Path(config).read_text(encoding="utf-8")))
        module.load_state_dict(load_file(weights))
        return module

    def extra_repr(self) -> str:
        return f"embedding_dimension={self.embedding_dimension}"


def _padded(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Sentences after one another, (sum of lengths, D), as (B, N, D) and their mask (B, N)."""
    sentences = torch.split(tokens, lengths.tolist())
    padded = nn.utils.rnn.pad_sequence(list(sentences), batch_first=True)
    positions = torch.arange(padded.shape[1], device=tokens.device)
    return padded, positions < lengths[:, None].to(tokens.device)
