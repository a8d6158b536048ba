"""The whole module: tokens without periodic artefacts, in one or several orders, encoded, answered, and weighed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from credence.models.expectation.feature_density import TrainingSupport
from credence.models.expectation.permutations import (
    PermutationMode,
    merge_copies,
    permuted_positions,
    sample_permutations,
    sample_permutations_deterministic,
    split_copies,
)
from credence.models.expectation.variational_last_layer import expected_nll, logit_normal_mean, mdl_loss
from credence.models.neural import TwoPartModule
from credence.models.neural.row_encoder import RowEncoder
from credence.models.training import Batch, Loss
from credence.models.training.padded_batch import Column
from credence.models.transformer.column_tokens import TableTokenizer
from credence.models.transformer.embeddings import (
    PERIOD,
    PositionArtifactFilter,
    TableEmbedding,
    TextEmbedding,
    TokenBatch,
)
from credence.models.transformer.encoder import TokenEncoder
from credence.models.transformer.head import Head
from credence.models.transformer.pretrained_tokens import PieceEmbedding, PretrainedTokenizer
from credence.models.transformer.text_tokens import TextTokenizer


class TrainingInputs(RowEncoder):
    """One of three readers, and the number of training rows, by which the divergence of the last layer is shared."""

    rows: int
    reader: TextTokenizer | TableTokenizer | PretrainedTokenizer

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        return self.reader.columns(X)


WAVELENGTH_BASE = 10_000.0
PRETRAINED_PACE = 0.02


@dataclass(frozen=True)
class TransformerConfig:
    """The hyper-parameters that shape the module; with every switch off it is a plain pre-LN transformer."""

    width: int
    layers: int
    heads: int
    dropout: float
    orders: PermutationMode
    permutations: int
    mdl: bool
    evidence: bool
    debias: bool
    loops: int
    seed: int


@dataclass(frozen=True)
class PermutationOutputs:
    """What K orders of B rows come to: features z [K, B, d], probabilities p [K, B], float64, and how often each row
    ran through the layers over all orders, runs int64 [B]."""

    z: Tensor
    p: Tensor
    runs: Tensor


class ExpectationTransformer(TwoPartModule):
    """Rows to probabilities of yes: texts, columns, or the `pieces` of texts that a pretrained encoder has read."""

    head: Head
    waves: Tensor

    def __init__(self, inputs: TrainingInputs, design: TransformerConfig, pieces: PieceEmbedding | None = None) -> None:
        super().__init__()
        reader, d = inputs.reader, design
        text, reach = isinstance(reader, TextTokenizer), reader.reach if isinstance(reader, TextTokenizer) else 0
        self.rows, self.design, self.joined = inputs.rows, design, text and d.orders == "exact"
        self.tokens = pieces or _tokens(reader, d.width)
        watched = d.debias and reach >= PERIOD
        self.artefacts = PositionArtifactFilter(d.width, reader.longest, self.rows) if watched else None
        self.encoder = TokenEncoder(d.width, d.layers, d.heads, d.dropout, d.loops)
        self.head = Head(self.encoder.features, d.dropout, d.mdl)
        self.support = TrainingSupport(self.encoder.features) if d.evidence else None
        self.register_buffer("waves", sinusoids(reader.longest + 1, d.width), persistent=False)

    def pace(self, name: str) -> float:
        return PRETRAINED_PACE if name.startswith("tokens.encoder.") else 1.0

    def encode(self, batch: Batch) -> Tensor:
        """Features [B, d] in one order, which is a random one to learn in, where there are several."""
        return self.features(self.read(batch), 1)

    def loss(self, batch: Batch) -> Loss:
        """The expected cross-entropy under the last layer, and its divergence from the prior per training row."""
        moments = self.head.moments(self.encode(batch))
        return Loss(*mdl_loss(*moments, batch["label"], self._divergence(), self.rows))

    def read(self, batch: Batch) -> TokenBatch:
        """The tokens of rows, freed from periodic artefacts."""
        tokens: TokenBatch = self.tokens(batch)
        if self.artefacts is not None:
            tokens = self.artefacts(tokens, batch.columns.get("label"))
        return tokens

    def features(self, tokens: TokenBatch, orders: int, k: Tensor | None = None) -> Tensor:
        """Features [K B, d] in K orders, after k int64 [B] runs through the layers, or as many as the budget says."""
        places = self._places(tokens.blocks, orders) if self.design.orders == "average" else None
        ids = permuted_positions(self.design.orders, tokens.positions, tokens.segments, tokens.mask, places)
        copies, x = len(ids), merge_copies(tokens.x, len(ids)) + self.waves[ids.flatten(0, 1)]
        segments = merge_copies(tokens.segments, copies) if self.joined else None
        z: Tensor = self.encoder(
            x, merge_copies(tokens.mask, copies), segments, None if k is None else merge_copies(k, copies)
        )
        return z

    def opinions(self, batch: Batch) -> PermutationOutputs:
        """What all orders say, of which there are `permutations` where orders are averaged."""
        tokens = self.read(batch)
        k = self.encoder.steps(tokens.mask)
        z = self.features(tokens, self.design.permutations, k)
        p = split_copies(logit_normal_mean(*self.head.moments(z)), self.design.permutations)
        return PermutationOutputs(split_copies(z, len(p)), p, k * len(p))

    def draws(self, z: Tensor, draws: int) -> Tensor:
        """Probabilities [draws K, B], float64, of features [K, B, d]: weight vectors of the last layer, in K orders."""
        p = self.head.draws(z.flatten(0, 1), draws, torch.Generator().manual_seed(self.design.seed))
        return p.view(-1, z.shape[1])

    def surprise(self, batch: Batch, k: Tensor) -> Tensor:
        """The expected cross-entropy of rows [B], nats, float64, after k runs through the layers, int64 []."""
        z = self.features(self.read(batch), 1, k.expand(len(batch)))
        return expected_nll(*self.head.moments(z), batch["label"])

    def _places(self, blocks: Tensor, orders: int) -> Tensor:
        """Random places to learn in, places by seed and number of blocks to answer in, int64 [orders, B, blocks]."""
        if self.training:
            return sample_permutations("iid", blocks.cpu(), orders, torch.default_generator)
        return sample_permutations_deterministic("latin", blocks.cpu(), orders, self.design.seed)

    def _divergence(self) -> Tensor:
        """The KL of the last layer in nats, under the prior that the marginal likelihood prefers at this very step."""
        if self.head.variational is None:
            return torch.zeros((), device=self.waves.device)
        if self.training:
            self.head.variational.fit_prior()
        return self.head.variational.kl()


def _tokens(reader: RowEncoder, width: int) -> TextEmbedding | TableEmbedding:
    if isinstance(reader, TextTokenizer):
        return TextEmbedding(reader, width)
    assert isinstance(reader, TableTokenizer)
    return TableEmbedding(reader, width)


def sinusoids(positions: int, width: int) -> Tensor:
    """A vector for each position, float32 [positions, width] (Vaswani et al. 2017), of length 1 in every pair."""
    speeds = torch.exp(-math.log(WAVELENGTH_BASE) * torch.arange(0, width, 2) / width)
    angles = torch.arange(positions)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]
