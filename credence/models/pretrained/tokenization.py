"""Row encoder for pretrained checkpoints: texts to numbers of word pieces."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
import torch
from tokenizers import Tokenizer

from credence.data.text import strip_html
from credence.models.neural.row_encoder import RowEncoder
from credence.models.training.padded_batch import Column

if TYPE_CHECKING:  # importing transformers takes seconds, and kinds without a checkpoint do not need it
    from credence.models.pretrained.checkpoint import PretrainedCheckpoint


class PieceEncoder(RowEncoder):
    """Encodes texts as the ragged column `pieces`, int64, at least one per row.

    HTML tags become blanks, entities are decoded, and unpaired surrogates become question marks.

    Attributes:
        config: Contents of the checkpoint's config.json.
        tokenizer: Contents of its tokenizer.json.
        origin: SHA-256 of its weights, in hex.
        longest: Most pieces per text, including the tokenizer's special ones.
    """

    config: dict[str, Any]
    tokenizer: str
    origin: str
    longest: int

    @classmethod
    def of(cls, checkpoint: "PretrainedCheckpoint", longest: int) -> Self:
        """Return the encoder of a checkpoint's tokenizer."""
        config, tokenizer, origin = checkpoint.config, checkpoint.tokenizer, checkpoint.origin
        return cls(config=config, tokenizer=tokenizer, origin=origin, longest=longest)

    @cached_property
    def splitter(self) -> Tokenizer:
        """The tokenizer, truncating at `longest` pieces."""
        splitter = Tokenizer.from_str(self.tokenizer)
        splitter.no_padding()
        splitter.enable_truncation(self.longest)
        return splitter

    @property
    def padding(self) -> int:
        """Number of the padding piece."""
        return int(self.config.get("pad_token_id") or 0)

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Return the column `pieces` of the texts."""
        return {"pieces": [torch.tensor(self._numbers(text)) for text in X["text"]]}

    def _numbers(self, text: str) -> list[int]:
        plain = strip_html(text).encode("utf-8", "replace").decode()
        return self.splitter.encode(plain).ids or [self.padding]
