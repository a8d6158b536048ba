"""The whole network: embedding, artifact removal, permutations, encoder, head, and training support."""

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
    """A row encoder of one of three types, and the number of training rows, which divides the KL of the last layer."""

    rows: int
    reader: TextTokenizer | TableTokenizer | PretrainedTokenizer

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Return the columns of the inner encoder."""
        return self.reader.columns(X)


WAVELENGTH_BASE = 10_000.0  # Vaswani et al. 2017
PRETRAINED_PACE = 0.02  # factor of the learning rate of a pretrained encoder


@dataclass(frozen=True)
class TransformerConfig:
    """Hyper-parameters of the network; with every switch off it is a plain pre-LN transformer.

    Attributes:
        width: Dimension of the vectors, d.
        layers: Number of layers.
        heads: Attention heads.
        dropout: Dropout probability.
        orders: How permutations of blocks are treated (`permutations.permuted_positions`).
        permutations: Number of permutations averaged in evaluation.
        mdl: Use a variational last layer, trained by code length.
        evidence: Estimate Beta evidence from feature density.
        debias: Remove periodic position artifacts from long texts.
        loops: Most repetitions of the layers.
        seed: Seed of draws and permutations.
    """

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
    """Outputs of K permutations of B rows.

    Attributes:
        z: Features, shape [K, B, d].
        p: Probabilities of yes, float64 [K, B].
        runs: Passes through the layers over all permutations, int64 [B].
    """

    z: Tensor
    p: Tensor
    runs: Tensor


class ExpectationTransformer(TwoPartModule):
    """The Bayesian Expectation Transformer (after arXiv 2507.11768) for texts, columns, or pretrained word pieces.

    Args:
        inputs: Row encoder and number of training rows.
        design: Hyper-parameters.
        pieces: Embedding by a pretrained encoder. Default: an embedding of words or columns is built.
    """

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
        """Return the factor of a parameter's learning rate: 0.02 for a pretrained encoder, else 1."""
        return PRETRAINED_PACE if name.startswith("tokens.encoder.") else 1.0

    def encode(self, batch: Batch) -> Tensor:
        """Return features [B, d] under one permutation, which is random in training with `orders: average`."""
        return self.features(self.read(batch), 1)

    def loss(self, batch: Batch) -> Loss:
        """Return the expected cross-entropy under the last layer, and its KL per training row, in nats."""
        moments = self.head.moments(self.encode(batch))
        return Loss(*mdl_loss(*moments, batch["label"], self._divergence(), self.rows))

    def read(self, batch: Batch) -> TokenBatch:
        """Embed a batch and remove periodic position artifacts."""
        tokens: TokenBatch = self.tokens(batch)
        if self.artefacts is not None:
            tokens = self.artefacts(tokens, batch.columns.get("label"))
        return tokens

    def features(self, tokens: TokenBatch, orders: int, k: Tensor | None = None) -> Tensor:
        """Encode tokens under `orders` permutations.

        Args:
            tokens: Embedded tokens of B rows.
            orders: Number of permutations K; used with `orders: average`, otherwise K is 1.
            k: Repetitions of the layers per row, int64 [B]. Default: by the budget.

        Returns:
            Features, shape [K B, d].
        """
        places = self._places(tokens.blocks, orders) if self.design.orders == "average" else None
        ids = permuted_positions(self.design.orders, tokens.positions, tokens.segments, tokens.mask, places)
        copies, x = len(ids), merge_copies(tokens.x, len(ids)) + self.waves[ids.flatten(0, 1)]
        segments = merge_copies(tokens.segments, copies) if self.joined else None
        z: Tensor = self.encoder(
            x, merge_copies(tokens.mask, copies), segments, None if k is None else merge_copies(k, copies)
        )
        return z

    def outputs(self, batch: Batch) -> PermutationOutputs:
        """Return the outputs under all permutations."""
        tokens = self.read(batch)
        k = self.encoder.steps(tokens.mask)
        z = self.features(tokens, self.design.permutations, k)
        p = split_copies(logit_normal_mean(*self.head.moments(z)), self.design.permutations)
        return PermutationOutputs(split_copies(z, len(p)), p, k * len(p))

    def draws(self, z: Tensor, draws: int) -> Tensor:
        """Draw probabilities of yes by weight vectors of the last layer.

        Args:
            z: Features under K permutations, shape [K, B, d].
            draws: Number of weight vectors.

        Returns:
            Probabilities, float64 [draws K, B].
        """
        p = self.head.draws(z.flatten(0, 1), draws, torch.Generator().manual_seed(self.design.seed))
        return p.view(-1, z.shape[1])

    def loss_after(self, batch: Batch, k: Tensor) -> Tensor:
        """Return the expected cross-entropy of each row in nats after k repetitions, int64 [], float64 [B]."""
        z = self.features(self.read(batch), 1, k.expand(len(batch)))
        return expected_nll(*self.head.moments(z), batch["label"])

    def _places(self, blocks: Tensor, orders: int) -> Tensor:
        """Sample places, int64 [orders, B, blocks]: random in training, else by seed and number of blocks."""
        if self.training:
            return sample_permutations("iid", blocks.cpu(), orders, torch.default_generator)
        return sample_permutations_deterministic("latin", blocks.cpu(), orders, self.design.seed)

    def _divergence(self) -> Tensor:
        """Return the KL of the last layer in nats; in training, refit the prior by marginal likelihood first."""
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
    """Return sinusoidal position vectors, float32 [positions, width] (Vaswani et al. 2017)."""
    speeds = torch.exp(-math.log(WAVELENGTH_BASE) * torch.arange(0, width, 2) / width)
    angles = torch.arange(positions)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]
