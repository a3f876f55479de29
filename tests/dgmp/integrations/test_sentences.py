"""The pooling as a module of a SentenceTransformer, small and without weights."""

import json

import pytest
import torch
from torch import Tensor

from dgmp import DGMP
from dgmp.integrations import SentencePooling

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "the", "hand", "of", "scribe", ":"]


def features(tokens: Tensor, **others) -> dict:
    return {"token_embeddings": tokens, **others}


def pooled(pool: SentencePooling, tokens: Tensor, **others) -> Tensor:
    return pool(features(tokens, **others))["sentence_embedding"]


TOKENS = torch.rand(2, 5, 8, generator=torch.Generator().manual_seed(0))
WHOLE = DGMP(5.0)(TOKENS.mT)


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_and_prompt_are_not_pooled(side: str) -> None:
    pool = SentencePooling(8, lambda_init=5.0)
    mask = torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    mask = mask.flip(1) if side == "left" else mask
    first = 2 if side == "left" else 0
    found = pooled(pool, TOKENS, attention_mask=mask)
    torch.testing.assert_close(found[:1], WHOLE[:1])
    torch.testing.assert_close(found[1:], DGMP(5.0)(TOKENS[1:, first : first + 3].mT))
    torch.testing.assert_close(pooled(pool, TOKENS), WHOLE)
    pool.include_prompt = False
    wanted = [DGMP(5.0)(TOKENS[:1, 2:].mT), DGMP(5.0)(TOKENS[1:, first + 2 : first + 3].mT)]
    for length in (2, torch.tensor([2]), torch.tensor([2, 2])):
        found = pooled(pool, TOKENS, attention_mask=mask, prompt_length=length)
        torch.testing.assert_close(found, torch.cat(wanted))
    assert mask.sum() == 8  # not changed in place
    with pytest.raises(ValueError, match=r"leaves no location of the samples \[1\]"):
        pooled(pool, TOKENS, attention_mask=mask, prompt_length=3)


def test_sentences_in_one_row() -> None:
    pool = SentencePooling(8, lambda_init=5.0, include_prompt=False)
    row = torch.cat([TOKENS[0], TOKENS[1, :3]])[None]
    ends = torch.tensor([0, 5, 8], dtype=torch.int32)
    found = pooled(pool, row, cu_seq_lens_q=ends)
    wanted = torch.cat([WHOLE[:1], DGMP(5.0)(TOKENS[1:, :3].mT)])
    torch.testing.assert_close(found, wanted)
    found = pooled(pool, row, cu_seq_lens_q=ends, prompt_length=1)
    wanted = torch.cat([DGMP(5.0)(TOKENS[:1, 1:].mT), DGMP(5.0)(TOKENS[1:, 1:3].mT)])
    torch.testing.assert_close(found, wanted)


@pytest.fixture
def sentence_transformer(tmp_path):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    words = tmp_path / "bert" / "vocab.txt"
    words.parent.mkdir()
    words.write_text("\n".join(WORDS), encoding="utf-8")
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(WORDS), num_attention_heads=2, **settings)
    BertModel(config).save_pretrained(words.parent)
    BertTokenizer(str(words)).save_pretrained(words.parent)
    pool = SentencePooling(16, "dgmp", lambda_init=5.0, include_prompt=False)
    return SentenceTransformer(modules=[Transformer(str(words.parent)), pool], device="cpu")


def test_a_sentence_transformer_is_encoded_trained_saved_and_loaded(
    sentence_transformer, tmp_path
) -> None:
    from sentence_transformers import SentenceTransformer

    sentences = ["the hand of the scribe", "the hand"]
    found = sentence_transformer.encode(sentences, convert_to_tensor=True)
    alone = [sentence_transformer.encode([s], convert_to_tensor=True) for s in sentences]
    torch.testing.assert_close(found, torch.cat(alone), rtol=1e-4, atol=1e-5)
    assert sentence_transformer.get_embedding_dimension() == 16
    tokens = sentence_transformer.encode(sentences, output_value="token_embeddings")
    for sentence, own in zip(found, tokens, strict=True):
        torch.testing.assert_close(sentence, DGMP(5.0)(own.clone().mT[None])[0])
    prompted = sentence_transformer.encode(sentences, prompt="query : ", convert_to_tensor=True)
    assert (prompted - found).norm(dim=1).min() > 1e-4  # the tokens see the prompt

    batch = sentence_transformer.tokenize(sentences)
    (sentence_transformer(batch)["sentence_embedding"] * torch.randn(16)).sum().backward()
    pool = sentence_transformer[1].pooling
    assert pool.lambda_.grad.abs() > 0
    with torch.no_grad():
        pool.lambda_.fill_(7.0)
    sentence_transformer.save(str(tmp_path / "saved"))
    saved = json.loads((tmp_path / "saved/modules.json").read_text(encoding="utf-8"))
    assert saved[1]["type"].endswith("SentencePooling")
    # Leave to import a module that is not sentence-transformers' own, and not to ask the Hub.
    loaded = SentenceTransformer(
        str(tmp_path / "saved"), device="cpu", trust_remote_code=True, local_files_only=True
    )
    assert loaded[1].pooling.value == 7
    assert not loaded[1].include_prompt
    torch.testing.assert_close(
        loaded.encode(sentences, convert_to_tensor=True),
        sentence_transformer.encode(sentences, convert_to_tensor=True),
    )


def test_what_learns_nothing_is_saved_too(tmp_path) -> None:
    pytest.importorskip("sentence_transformers")
    pool = SentencePooling(8, "max")
    pool.save(str(tmp_path))
    loaded = SentencePooling.load(str(tmp_path))
    torch.testing.assert_close(pooled(loaded, TOKENS), TOKENS.amax(dim=1))
