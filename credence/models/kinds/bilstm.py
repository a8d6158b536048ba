"""Bidirectional LSTM with attention pooling for texts; draws by MC dropout."""

import pandas as pd
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from credence.models.neural import TorchModel, TwoPartModule
from credence.models.neural.dropout import MaskedDropout
from credence.models.neural.row_encoder import RowEncoder
from credence.models.training import Batch
from credence.models.transformer.embeddings import TextEmbedding
from credence.models.transformer.text_tokens import TextTokenizer


class BiLSTM(TorchModel):
    """Two BiLSTM layers, attention over tokens, and MC dropout (Gal & Ghahramani 2016)."""

    reads = "text"
    read_by = TextTokenizer
    patience: int = Field(8, ge=1, description="epochs without a better held-out log-loss before training stops")
    width: int = Field(64, ge=1, description="LSTM units per direction")
    dropout: float = Field(0.3, ge=0, lt=1, description="dropout probability")
    passes: int = Field(50, ge=0, description="number of draws; 0 is one draw without dropout")
    full: bool = Field(
        False,
        description=(
            "Drop features between the layers too, which costs `passes` forward passes. Default: only after "
            "pooling, which costs one."
        ),
    )
    relations: bool = Field(
        False, description="add the relations between the numbers of a text (`credence.models.relations`) as an input"
    )
    fone: bool = Field(
        False,
        description="Read a number as one token with Fourier features (arXiv 2502.09741). Default: digit by digit.",
    )
    vocabulary: int = Field(30_000, ge=1, description="most words")
    longest: int = Field(512, ge=1, description="most tokens per text")

    def _read(self, X: pd.DataFrame) -> RowEncoder:
        return TextTokenizer.learn(X, self.vocabulary, self.longest, self.fone, self.relations)

    def _build(self, reader: RowEncoder) -> TwoPartModule:
        assert isinstance(reader, TextTokenizer)
        return _Network(reader, self.width, self.dropout)

    def _draw_batch(self, batch: Batch) -> Tensor:
        if self.passes and self.dropout:
            return self._mc_dropout(batch, self.passes, self.full)
        return super()._draw_batch(batch)


class _Network(TwoPartModule):
    def __init__(self, reader: TextTokenizer, width: int, dropout: float) -> None:
        super().__init__()
        self.tokens = TextEmbedding(reader, width, sd=1.0)  # with a smaller sd the loss stays flat for several epochs
        self.first = nn.LSTM(width, width, bidirectional=True, batch_first=True)
        self.between = MaskedDropout(dropout, 2 * width)
        self.second = nn.LSTM(2 * width, width, bidirectional=True, batch_first=True)
        self.relevance = nn.Linear(2 * width, 1)
        self.head = nn.Sequential(MaskedDropout(dropout, 2 * width), nn.Linear(2 * width, 1))

    def encode(self, batch: Batch) -> Tensor:
        tokens = self.tokens(batch)
        lengths = tokens.mask.sum(1)
        x = self._run(self.first, tokens.x, lengths)
        x = self._run(self.second, self.between(x), lengths)
        weight = self.relevance(x).squeeze(-1).masked_fill(~tokens.mask, -torch.inf).softmax(1)
        pooled: Tensor = (weight[..., None] * x).sum(1)
        return pooled

    @staticmethod
    def _run(layer: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        read: Tensor = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=x.shape[1])[0]
        return read
