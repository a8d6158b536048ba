"""Fine-tuned pretrained encoder; draws by a Bayesian last layer or MC dropout."""

import math
from typing import ClassVar, Literal

import pandas as pd
import torch
from pydantic import Field, PrivateAttr
from torch import Tensor, nn
from transformers import PreTrainedModel

from credence.model import TrainingRecord
from credence.models.expectation.variational_last_layer import VariationalLastLayer, mdl_loss
from credence.models.neural import TorchModel, TwoPartModule
from credence.models.neural.dropout import MaskedDropout
from credence.models.neural.row_encoder import RowEncoder
from credence.models.pretrained.checkpoint import empty_encoder, load_checkpoint
from credence.models.pretrained.sentence_encoder import SentenceEncoder
from credence.models.pretrained.tokenization import PieceEncoder
from credence.models.training import Batch, Loss

# Length of the features. Weights of length 1 then reach log-odds of 4, and the initial weight sd of 0.1 is 0.4.
FEATURE_LENGTH = 4.0


class Transformer(TorchModel):
    """Fine-tunes an encoder from a folder or the Hugging Face Hub. A text is encoded once, whatever the head.

    The learning rate of the head is 100 times that of the encoder for `variational`, and 20 times otherwise.
    """

    reads = "text"
    read_by = PieceEncoder
    checkpoint: str = Field(
        "distilbert-base-uncased", min_length=1, description="folder, name on the Hugging Face Hub, or `minilm`"
    )
    head: Literal["plain", "mc_dropout", "variational"] = Field(
        "variational",
        description=(
            "`variational` is a Gaussian over the last layer's weights, trained by code length, NLL + KL / N "
            "(VBLL, arXiv 2404.11599). `mc_dropout` drops features after pooling. `plain` is one draw."
        ),
    )
    samples: int = Field(50, ge=1, description="draws of `variational`")
    passes: int = Field(50, ge=1, description="draws of `mc_dropout`")
    longest: int = Field(256, ge=2, description="most word pieces per text")
    freeze: int = Field(
        0,
        ge=0,
        description="number of lower layers that are not trained, together with the embeddings; 0 trains everything",
    )
    epochs: int = Field(3, ge=1, description="largest number of passes over the training rows")
    learning_rate: float = Field(5e-5, gt=0, le=100, description="peak learning rate of AdamW")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of all steps in which the learning rate rises")
    _pretrained: PreTrainedModel | None = PrivateAttr(default=None)
    _rows_learned: int = PrivateAttr(default=1)

    def training_record(self) -> TrainingRecord:
        """Return costs, curves and, for `variational`, the code length of the last layer in bits."""
        head = self._module.head
        bits = float(head.kl().detach()) / math.log(2) if isinstance(head, VariationalLastLayer) else None
        return super().training_record().model_copy(update={"model_bits": bits})

    def _read(self, X: pd.DataFrame) -> RowEncoder:
        found = load_checkpoint(self.checkpoint, self.longest)
        self._pretrained, self._rows_learned = found.encoder, len(X)
        return PieceEncoder.of(found, self.longest)

    def _build(self, reader: RowEncoder) -> TwoPartModule:
        assert isinstance(reader, PieceEncoder)
        body, self._pretrained = self._pretrained or empty_encoder(reader.config), None
        encoder = SentenceEncoder(body, reader.padding)
        encoder.freeze(self.freeze)
        return _Bayesian(encoder, self._rows_learned) if self.head == "variational" else _Point(encoder, self.dropout)

    def _draw_batch(self, batch: Batch) -> Tensor:
        if self.head == "mc_dropout" and self.dropout:
            return self._mc_dropout(batch, self.passes, full=False)
        if isinstance(self._module, _Bayesian):
            return torch.sigmoid(self._module.drawn(batch, self.samples, self.seed).double())
        return super()._draw_batch(batch)


class _FineTuned(TwoPartModule):
    head_pace: ClassVar[float]

    def __init__(self, encoder: SentenceEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def encode(self, batch: Batch) -> Tensor:
        features: Tensor = FEATURE_LENGTH * self.encoder(batch)
        return features

    def pace(self, name: str) -> float:
        return 1.0 if name.startswith("encoder.") else self.head_pace


class _Point(_FineTuned):
    head_pace = 20.0

    def __init__(self, encoder: SentenceEncoder, dropout: float) -> None:
        super().__init__(encoder)
        width = encoder.width
        self.head = nn.Sequential(
            MaskedDropout(dropout, width),
            nn.Linear(width, width),
            nn.GELU(),
            MaskedDropout(dropout, width),
            nn.Linear(width, 1),
        )


class _Bayesian(_FineTuned):
    """Variational head; its KL is divided by the number of training `rows`."""

    head_pace = 100.0
    head: VariationalLastLayer

    def __init__(self, encoder: SentenceEncoder, rows: int) -> None:
        super().__init__(encoder)
        self.head, self.rows = VariationalLastLayer(encoder.width), rows

    def score(self, features: Tensor) -> Tensor:
        mean: Tensor = self.head(features)[0]
        return mean

    def loss(self, batch: Batch) -> Loss:
        mean, variance = self.head(self.encode(batch).float())
        self.head.fit_prior()
        return Loss(*mdl_loss(mean, variance, batch["label"], self.head.kl(), self.rows))

    def drawn(self, batch: Batch, samples: int, seed: int) -> Tensor:
        """Return logits [samples, B] under weight vectors drawn with `seed`."""
        return self.head.draw(self.encode(batch), samples, torch.Generator().manual_seed(seed))
