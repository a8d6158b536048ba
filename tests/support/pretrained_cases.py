"""Checkpoints of a few thousand random weights, made where a test wants them: nothing is fetched."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["plot", "the", "film", "long", "actor", "awful", "splendid", "is", "zurich", "dull", "bright", "good"]
VOCABULARY = [
    *MARKS,
    *"abcdefghijklmnopqrstuvwxyz0123456789?!.,;",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    *WORDS,
]
PLACES = 256


def config(kind: str = "distilbert", **changed: Any) -> PreTrainedConfig:
    """A tiny encoder: two layers of 32."""
    size = {"vocab_size": len(VOCABULARY), "pad_token_id": 0, "max_position_embeddings": PLACES}
    wide = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if kind == "distilbert":
        return DistilBertConfig(**{**size, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, **changed})
    return {"bert": BertConfig, "roberta": RobertaConfig}[kind](**{**size, **wide, **changed})


def tokenizer() -> PreTrainedTokenizerFast:
    """WordPiece in lower case without accents, with BERT's marks."""
    pieces = Tokenizer(WordPiece({piece: i for i, piece in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer()
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    pad, unknown, first, last, mask = MARKS
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token=pad, unk_token=unknown, cls_token=first, sep_token=last, mask_token=mask
    )


def saved(folder: Path, kind: str = "distilbert", seed: int = 0, **changed: Any) -> Path:
    """A checkpoint as save_pretrained writes it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        AutoModel.from_config(config(kind, **changed)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@cache
def tiny() -> str:
    """The path of one that is made once."""
    return str(saved(Path(mkdtemp(prefix="credence-checkpoint-"))))
