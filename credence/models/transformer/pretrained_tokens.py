"""Texts as tokens that a pretrained encoder has read: one for every piece, and one for the relations of the numbers."""

from collections.abc import Mapping
from typing import Self

import pandas as pd
import torch
from torch import Tensor, nn

from credence.core.errors import InputError
from credence.models.neural.row_encoder import RowEncoder
from credence.models.pretrained.sentence_encoder import SentenceEncoder
from credence.models.pretrained.tokenization import PieceEncoder
from credence.models.relations import RELATION_NAMES, find_numbers
from credence.models.training import Batch
from credence.models.training.padded_batch import Column
from credence.models.transformer.embeddings import INITIAL_SD, TokenBatch
from credence.models.transformer.text_tokens import relation_features, strip_html


class PretrainedTokenizer(RowEncoder):
    """Ragged column `pieces` of a checkpoint, and `relations` of all numbers of the text."""

    pieces: PieceEncoder
    relations: tuple[str, ...]

    @classmethod
    def read(cls, X: pd.DataFrame, checkpoint: str, longest: int, relations: bool) -> tuple[Self, SentenceEncoder]:
        """The reader that goes with a checkpoint, and its encoder. BadInput where these rows are no texts."""
        from credence.models.pretrained.checkpoint import load_checkpoint  # transformers takes seconds to import

        if "text" not in X:
            raise InputError(f"checkpoint {checkpoint!r} reads texts, and this task has columns; leave checkpoint out.")
        there = load_checkpoint(checkpoint, longest)
        pieces = PieceEncoder.of(there, longest)
        return cls(pieces=pieces, relations=RELATION_NAMES if relations else ()), SentenceEncoder(
            there.encoder, pieces.padding
        )

    def blank(self) -> SentenceEncoder:
        """The encoder, with weights that are still to be loaded."""
        from credence.models.pretrained.checkpoint import empty_encoder  # transformers takes seconds to import

        return SentenceEncoder(empty_encoder(self.pieces.config), self.pieces.padding)

    @property
    def longest(self) -> int:
        """Pieces of a text that are read."""
        return self.pieces.longest

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        numbers = (
            {"relations": relation_features([find_numbers(strip_html(text)) for text in X["text"]])}
            if self.relations
            else {}
        )
        return {**self.pieces.columns(X), **numbers}


class PieceEmbedding(nn.Module):
    """A vector per piece, what the encoder made of it; the first token carries the relations.

    `freeze` is as many lower layers of the encoder as stay as they are. None: all of them, and no feature is dropped.
    """

    def __init__(self, reader: PretrainedTokenizer, encoder: SentenceEncoder, width: int, freeze: int | None) -> None:
        super().__init__()
        self.encoder, self.learns = encoder.requires_grad_(freeze is not None), freeze is not None
        self.encoder.freeze(freeze or 0)
        self.states = nn.Linear(encoder.width, width)
        self.start = nn.Parameter(INITIAL_SD * torch.randn(width))
        self.relations = nn.Linear(len(reader.relations), width, bias=False) if reader.relations else None

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.encoder.train(mode and self.learns)
        return self

    def forward(self, batch: Batch) -> TokenBatch:
        """The tokens of texts, all of a text in one block: the encoder has read it in its order."""
        mask = batch.mask("pieces")
        x: Tensor = self.states(self.encoder.states(batch))
        start = self.start.expand(len(mask), -1)
        start = start if self.relations is None else start + self.relations(batch["relations"])
        return TokenBatch.begun(
            start, torch.where(mask[..., None], x, 0.0), mask, torch.zeros_like(mask, dtype=torch.long)
        )
