"""Row encoder and embedding of texts by a pretrained encoder: one token per word piece, plus relations of numbers."""

from collections.abc import Mapping
from typing import Self

import pandas as pd
import torch
from torch import Tensor, nn

from credence.core.errors import InputError
from credence.data.text import strip_html
from credence.models.neural.row_encoder import RowEncoder
from credence.models.pretrained.sentence_encoder import SentenceEncoder
from credence.models.pretrained.tokenization import PieceEncoder
from credence.models.relations import RELATION_NAMES, find_numbers
from credence.models.training import Batch
from credence.models.training.padded_batch import Column
from credence.models.transformer.embeddings import INITIAL_SD, TokenBatch
from credence.models.transformer.text_tokens import relation_features


class PretrainedTokenizer(RowEncoder):
    """Encodes texts as the ragged column `pieces` and, optionally, the column `relations`.

    Attributes:
        pieces: Encoder of word pieces.
        relations: Names of the relations between the numbers of a text; empty for none.
    """

    pieces: PieceEncoder
    relations: tuple[str, ...]

    @classmethod
    def read(cls, X: pd.DataFrame, checkpoint: str, longest: int, relations: bool) -> tuple[Self, SentenceEncoder]:
        """Load a checkpoint.

        Args:
            X: Inputs with the column `text`.
            checkpoint: Folder, name on the Hugging Face Hub, or `minilm`.
            longest: Most word pieces per text.
            relations: Whether to encode the relations between numbers.

        Returns:
            The row encoder and the pretrained encoder.

        Raises:
            InputError: The inputs are not texts, or the checkpoint cannot be loaded.
        """
        from credence.models.pretrained.checkpoint import load_checkpoint  # transformers takes seconds to import

        if "text" not in X:
            raise InputError(f"checkpoint {checkpoint!r} reads texts, and this task has columns; leave checkpoint out.")
        loaded = load_checkpoint(checkpoint, longest)
        pieces = PieceEncoder.of(loaded, longest)
        return cls(pieces=pieces, relations=RELATION_NAMES if relations else ()), SentenceEncoder(
            loaded.encoder, pieces.padding
        )

    def blank(self) -> SentenceEncoder:
        """Build the pretrained encoder with placeholder weights."""
        from credence.models.pretrained.checkpoint import empty_encoder  # transformers takes seconds to import

        return SentenceEncoder(empty_encoder(self.pieces.config), self.pieces.padding)

    @property
    def longest(self) -> int:
        """Most word pieces per text."""
        return self.pieces.longest

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Return `pieces` and, if asked for, `relations` of texts."""
        numbers = (
            {"relations": relation_features([find_numbers(strip_html(text)) for text in X["text"]])}
            if self.relations
            else {}
        )
        return {**self.pieces.columns(X), **numbers}


class PieceEmbedding(nn.Module):
    """Embeds word pieces by a pretrained encoder; the start token carries the relations between numbers.

    Args:
        reader: Encoder of the texts.
        encoder: The pretrained encoder.
        width: Dimension of the vectors, d.
        freeze: Number of lower layers that are not trained. None: the encoder is not trained and has no dropout.
    """

    def __init__(self, reader: PretrainedTokenizer, encoder: SentenceEncoder, width: int, freeze: int | None) -> None:
        super().__init__()
        self.encoder, self.learns = encoder.requires_grad_(freeze is not None), freeze is not None
        self.encoder.freeze(freeze or 0)
        self.states = nn.Linear(encoder.width, width)
        self.start = nn.Parameter(INITIAL_SD * torch.randn(width))
        self.relations = nn.Linear(len(reader.relations), width, bias=False) if reader.relations else None

    def train(self, mode: bool = True) -> Self:
        """Set training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.train(mode and self.learns)
        return self

    def forward(self, batch: Batch) -> TokenBatch:
        """Embed a batch of texts; a text is one block, because the encoder has read it in its order."""
        mask = batch.mask("pieces")
        x: Tensor = self.states(self.encoder.states(batch))
        start = self.start.expand(len(mask), -1)
        start = start if self.relations is None else start + self.relations(batch["relations"])
        return TokenBatch.with_start(
            start, torch.where(mask[..., None], x, 0.0), mask, torch.zeros_like(mask, dtype=torch.long)
        )
