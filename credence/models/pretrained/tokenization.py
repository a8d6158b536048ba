"""Texts as the numbers of a checkpoint's word pieces, and all that is needed to read them and the weights again."""

import html
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
import torch
from tokenizers import Tokenizer

from credence.data.text import TAG
from credence.models.neural.row_encoder import RowEncoder
from credence.models.training.padded_batch import Column

if TYPE_CHECKING:  # else a kind that may do without a checkpoint would import transformers too, for seconds
    from credence.models.pretrained.checkpoint import PretrainedCheckpoint


class PieceEncoder(RowEncoder):
    """Ragged column `pieces`, int64, at most `longest` a row with the tokenizer's own marks, never none.

    `config` and `tokenizer` are the checkpoint's config.json and tokenizer.json, `origin` the SHA-256 of its weights.
    HTML tags are blanks, entities are what they stand for, and halves of surrogate pairs are question marks.
    """

    config: dict[str, Any]
    tokenizer: str
    origin: str
    longest: int

    @classmethod
    def of(cls, checkpoint: "PretrainedCheckpoint", longest: int) -> Self:
        """The reader that goes with a checkpoint."""
        config, tokenizer, origin = checkpoint.config, checkpoint.tokenizer, checkpoint.origin
        return cls(config=config, tokenizer=tokenizer, origin=origin, longest=longest)

    @cached_property
    def splitter(self) -> Tokenizer:
        """What cuts a text into pieces."""
        splitter = Tokenizer.from_str(self.tokenizer)
        splitter.no_padding()
        splitter.enable_truncation(self.longest)
        return splitter

    @property
    def padding(self) -> int:
        """The piece that stands where nothing does."""
        return int(self.config.get("pad_token_id") or 0)

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        return {"pieces": [torch.tensor(self._numbers(text)) for text in X["text"]]}

    def _numbers(self, text: str) -> list[int]:
        plain = TAG.sub(" ", html.unescape(text)).encode("utf-8", "replace").decode()
        return self.splitter.encode(plain).ids or [self.padding]
