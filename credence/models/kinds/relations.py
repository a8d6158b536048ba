"""Small networks on words and on computed relations between the numbers of a text."""

import pandas as pd
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from credence.models.neural import TorchModel, TwoPartModule
from credence.models.neural.dropout import MaskedDropout
from credence.models.neural.row_encoder import RowEncoder
from credence.models.relations.row_encoder import RelationEncoder
from credence.models.training import Batch, Loss


class Relations(TorchModel):
    """Networks with one hidden layer on words, word pairs and relations; each has its own seed and is a draw.

    The relations (`credence.models.relations`) are domain features for texts about arithmetic. A text whose claim they
    do not cover is answered from its words alone.
    """

    reads = "text"
    read_by = RelationEncoder
    members: int = Field(5, ge=1, description="number of networks")
    width: int = Field(64, ge=1, description="hidden units")
    vocabulary: int = Field(2000, ge=1, description="most words and word pairs")
    epochs: int = Field(40, ge=1, description="largest number of passes over the training rows")
    batch_rows: int = Field(256, ge=1, description="rows per batch")
    learning_rate: float = Field(1e-2, gt=0, allow_inf_nan=False, description="peak learning rate of AdamW")
    patience: int = Field(5, ge=1, description="epochs without a better held-out log-loss before training stops")

    def _read(self, X: pd.DataFrame) -> RowEncoder:
        return RelationEncoder.learn(X, self.vocabulary)

    def _build(self, reader: RowEncoder) -> TwoPartModule:
        assert isinstance(reader, RelationEncoder)
        inputs = len(reader.vocabulary.words) + len(reader.places)
        return _Members(self.members, inputs, self.width, self.dropout)

    def _draw_batch(self, batch: Batch) -> Tensor:
        return torch.sigmoid(self._module.score(self._module.encode(batch)).double())

    def _mc_dropout(self, batch: Batch, passes: int, full: bool) -> Tensor:
        """Return MC dropout probabilities [passes, B]; a pass is one mask for all members, and their mean."""
        return torch.cat([self._mc_dropout_pass(batch, number).mean(1) for number in range(passes)])


class _Members(TwoPartModule):
    """Independent networks that are trained on the same batches; logits are [members, B]."""

    def __init__(self, members: int, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.head = nn.Sequential(
            _ParallelLinear(members, inputs, width),
            nn.GELU(),
            MaskedDropout(dropout, width),
            _ParallelLinear(members, width, 1),
        )

    def encode(self, batch: Batch) -> Tensor:
        return torch.cat([batch["terms"].float(), batch["relations"]], 1)

    def loss(self, batch: Batch) -> Loss:
        scores = self.score(self.encode(batch)).float()
        label = batch["label"].float().expand(len(scores), -1)
        return Loss(F.binary_cross_entropy_with_logits(scores, label, reduction="none").mean(0))

    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        return name.endswith("weight")


class _ParallelLinear(nn.Module):
    """One linear layer per member: [B, inputs] or [members, B, inputs] to [members, B, outputs]."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        layers = [nn.Linear(inputs, outputs) for _ in range(members)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias
