"""A recurrent network that reads a text both ways and attends to what matters; MC dropout gives its draws."""

import pandas as pd
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from credence.neural import Answering, TorchModel
from credence.neural.dropout import Dropout
from credence.neural.reader import Reader, Words
from credence.training import Batch


class BiLSTM(TorchModel):
    """Two BiLSTM layers of `width` units each way, attention over tokens, and dropout.

    Draws are `passes` masks after pooling, so the text is read once; `full` drops between the layers too, and then
    costs as many readings as passes. 0 passes: one draw, nothing dropped.
    """

    reads = "text"
    read_by = Words
    width: int = Field(64, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1)
    passes: int = Field(50, ge=0)
    full: bool = False
    vocabulary: int = Field(30_000, ge=1)
    longest: int = Field(512, ge=1)

    def _read(self, X: pd.DataFrame) -> Reader:
        return Words.learn(X, self.vocabulary, self.longest)

    def _build(self, reader: Reader) -> Answering:
        assert isinstance(reader, Words)
        return _Network(len(reader.vocabulary), self.width, self.dropout)

    def _opinions(self, batch: Batch) -> Tensor:
        if self.passes and self.dropout:
            return self._passes(batch, self.passes, self.full)
        return super()._opinions(batch)


class _Network(Answering):
    def __init__(self, words: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.first = nn.LSTM(width, width, bidirectional=True, batch_first=True)
        self.between = Dropout(dropout, 2 * width)
        self.second = nn.LSTM(2 * width, width, bidirectional=True, batch_first=True)
        self.relevance = nn.Linear(2 * width, 1)
        self.head = nn.Sequential(Dropout(dropout, 2 * width), nn.Linear(2 * width, 1))

    def encode(self, batch: Batch) -> Tensor:
        lengths = batch.lengths["words"].clamp(min=1)  # a row without words reads one cell of padding
        x = self._run(self.first, self.embedding(batch["words"]), lengths)
        x = self._run(self.second, self.between(x), lengths)
        read = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        weight = self.relevance(x).squeeze(-1).masked_fill(~read, -torch.inf).softmax(1)
        pooled: Tensor = (weight[..., None] * x).sum(1)
        return pooled

    @staticmethod
    def _run(layer: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        read: Tensor = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=x.shape[1])[0]
        return read
