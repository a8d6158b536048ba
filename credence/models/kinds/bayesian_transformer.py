"""Transformer with a Bayesian last layer, code-length training, permutation averaging, and Beta evidence."""

import math
from typing import Literal, Self

import numpy as np
import pandas as pd
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor

from credence.model import NotFitted, TrainingRecord
from credence.models.expectation.compute_budget import smallest_sufficient_k
from credence.models.expectation.feature_density import RowFeatures
from credence.models.expectation.permutation_statistics import PermutationStatistics, jensen_gap
from credence.models.neural import TorchModel, TwoPartModule
from credence.models.neural.row_encoder import RowEncoder
from credence.models.pretrained.sentence_encoder import SentenceEncoder
from credence.models.training import Batch, PaddedRows
from credence.models.transformer.column_tokens import TableTokenizer
from credence.models.transformer.encoder import PRECISION
from credence.models.transformer.network import (
    ExpectationTransformer,
    PermutationOutputs,
    TrainingInputs,
    TransformerConfig,
)
from credence.models.transformer.pretrained_tokens import PieceEmbedding, PretrainedTokenizer
from credence.models.transformer.text_tokens import TextTokenizer
from credence.statistics.uncertainty import Array

EVIDENCE = ("alpha", "beta", "ood_pvalue")
ORDERS = ("order_sd", "order_jsd", "order_gain_yes", "order_gain_no")


class BayesianTransformer(TorchModel):
    """The Bayesian Expectation Transformer (after arXiv 2507.11768) for texts and columns.

    A pre-LN transformer reads the tokens of a text, or one token per column. Draws are weight vectors of the last
    layer, under each permutation with `orders: average`. Exchangeable blocks are columns, or the sentences of a text.
    """

    reads = "both"
    read_by = TrainingInputs
    width: int = Field(64, ge=2, description="dimension of the vectors")
    layers: int = Field(2, ge=1, description="number of layers")
    heads: int = Field(4, ge=1, description="attention heads; divides `width`")
    samples: int = Field(50, ge=1, description="weight vectors drawn from the last layer")
    orders: Literal["auto", "exact", "average", "off"] = Field(
        "auto",
        description=(
            "`exact` gives blocks no order; `average` averages probabilities over permutations; `off` keeps the "
            "order. `auto` is `exact` for columns and `off` for texts."
        ),
    )
    permutations: int = Field(1, ge=1, description="permutations averaged in prediction, with `orders: average`")
    mdl: bool = Field(
        True, description="use a variational last layer, trained by code length, NLL + KL / N (VBLL, arXiv 2404.11599)"
    )
    evidence: bool = Field(
        True, description="estimate Beta pseudo-counts from feature density (DIP-EDL, arXiv 2602.01477)"
    )
    debias: bool = Field(True, description="remove periodic position artifacts from texts of 64 tokens or more")
    loops: int = Field(
        1, ge=1, description="most repetitions of the layers with the same weights; a fitted budget decides per row"
    )
    relations: bool = Field(
        True, description="add the relations between the numbers of a text (`credence.models.relations`) as an input"
    )
    fone: bool = Field(
        True,
        description="Read a number as one token with Fourier features (arXiv 2502.09741). Otherwise: digit by digit.",
    )
    vocabulary: int = Field(30_000, ge=1, description="most words, or categories per column")
    longest: int = Field(512, ge=1, description="most tokens per text")
    checkpoint: str | None = Field(
        None,
        min_length=1,
        description=(
            "Pretrained encoder that embeds texts: folder, name on the Hugging Face Hub, or `minilm`. Default: "
            "word embeddings are learned."
        ),
    )
    freeze: int | None = Field(
        None,
        ge=0,
        description=(
            "Number of lower layers of the checkpoint that are not trained. Default: the whole checkpoint is frozen."
        ),
    )
    _encoder: SentenceEncoder | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} and heads {self.heads}: expected a width that the heads divide.")
        if self.permutations > 1 and self.orders != "average":
            raise ValueError(
                f"permutations {self.permutations} with orders {self.orders!r}: only 'average' has several orders; "
                "set orders: average, or permutations: 1."
            )
        if self.checkpoint and self.orders in ("exact", "average"):
            raise ValueError(
                f"orders {self.orders!r} with checkpoint {self.checkpoint!r}: a pretrained encoder has read the text "
                "in its order; set orders: auto, or leave checkpoint out."
            )
        if self.freeze is not None and not self.checkpoint:
            raise ValueError(f"freeze {self.freeze} without a checkpoint: set checkpoint, or leave freeze out.")
        return self

    def row_diagnostics(self, X: pd.DataFrame) -> dict[str, Array]:
        """Return `k_used`, evidence and permutation measures of each row by name, shape (rows,) each.

        Raises:
            NotFitted: The model has not been fitted.
        """
        if not self._fitted:
            raise NotFitted(f"{self.display_name()} has not been fitted; call fit(X, y) first.")
        names = self._names()
        if not len(X):
            return {name: np.zeros(0) for name in names}
        found = self._apply_in_batches(self._rows(X), lambda batch: self._diagnostics(self._network.outputs(batch)))
        return dict(zip(names, found, strict=True))

    def predict_all(self, X: pd.DataFrame) -> tuple[Array, dict[str, Array]]:
        """Return `draws(X)` and `row_diagnostics(X)` from one forward pass."""
        if not self._fitted or not len(X):
            return super().predict_all(X)
        names = self._names()
        both = self._apply_in_batches(self._rows(X), self._diagnostics_and_draws)
        return both[len(names) :], dict(zip(names, both, strict=False))

    def training_record(self) -> TrainingRecord:
        """Return costs, curves, and the code length of the last layer in bits."""
        last = self._network.head.variational
        bits = None if last is None else float(last.kl().detach()) / math.log(2)
        return (
            super().training_record().model_copy(update={"passes": self.permutations * self.loops, "model_bits": bits})
        )

    @property
    def _network(self) -> ExpectationTransformer:
        assert isinstance(self._module, ExpectationTransformer)
        return self._module

    def _read(self, X: pd.DataFrame) -> RowEncoder:
        if self.checkpoint:
            pretrained, self._encoder = PretrainedTokenizer.read(X, self.checkpoint, self.longest, self.relations)
            return TrainingInputs(rows=len(X), reader=pretrained)
        if "text" in X:
            reader = TextTokenizer.learn(X, self.vocabulary, self.longest, self.fone, self.relations)
            return TrainingInputs(rows=len(X), reader=reader)
        return TrainingInputs(rows=len(X), reader=TableTokenizer.learn(X, self.vocabulary))

    def _pieces(self, reader: PretrainedTokenizer) -> PieceEmbedding:
        encoder, self._encoder = self._encoder or reader.blank(), None
        return PieceEmbedding(reader, encoder, self.width, self.freeze)

    def _build(self, reader: RowEncoder) -> TwoPartModule:
        assert isinstance(reader, TrainingInputs)
        auto: Literal["exact", "off"] = "exact" if isinstance(reader.reader, TableTokenizer) else "off"
        return ExpectationTransformer(
            reader,
            TransformerConfig(
                width=self.width,
                layers=self.layers,
                heads=self.heads,
                dropout=self.dropout,
                mdl=self.mdl,
                orders=auto if self.orders == "auto" else self.orders,
                permutations=self.permutations,
                evidence=self.evidence,
                debias=self.debias,
                loops=self.loops,
                seed=self.seed,
            ),
            self._pieces(reader.reader) if isinstance(reader.reader, PretrainedTokenizer) else None,
        )

    def _draw_batch(self, batch: Batch) -> Tensor:
        return self._network.draws(self._network.outputs(batch).z, self.samples)

    def _diagnostics_and_draws(self, batch: Batch) -> Tensor:
        """Return diagnostics, then draws, float64 [names + draws, B]."""
        outputs = self._network.outputs(batch)
        return torch.cat([self._diagnostics(outputs), self._network.draws(outputs.z, self.samples)])

    def _finish(self, rows: PaddedRows, held_out: PaddedRows | None) -> None:
        if self._network.head.variational is not None:
            self._network.head.variational.fit_prior()
        if held_out is None:
            return
        if self.loops > 1:
            self._fit_budget(held_out)
        if self._network.support is not None:
            self._network.support.fit(self._features(rows), self._features(held_out))

    def _fit_budget(self, held_out: PaddedRows) -> None:
        """Fit the repetitions of the layers per row by the NLL of held-out rows at each number of them."""
        ks = torch.arange(1, self.loops + 1)
        nll = self._apply_in_batches(
            held_out, lambda batch: torch.stack([self._network.loss_after(batch, k) for k in ks])
        )
        lengths = self._apply_in_batches(held_out, lambda batch: self._network.read(batch).mask.sum(1)[None])[0]
        needed = smallest_sufficient_k(torch.as_tensor(nll), ks, PRECISION)
        self._network.encoder.budget.fit(torch.as_tensor(lengths), needed, PRECISION)

    def _features(self, rows: PaddedRows) -> RowFeatures:
        """Return the last layer's inputs, probabilities and labels of rows."""
        values = torch.as_tensor(self._apply_in_batches(rows, self._probability_label_features))
        return RowFeatures(values[2:].T, values[0], values[1])

    def _probability_label_features(self, batch: Batch) -> Tensor:
        """Return [probability, label, features] of rows, float64 [2 + d, B]."""
        outputs = self._network.outputs(batch)
        return torch.cat([outputs.p.mean(0)[None], batch["label"][None].double(), outputs.z.mean(0).T.double()])

    def _names(self) -> list[str]:
        """Return the names of the diagnostics, in the order of `_diagnostics`."""
        support = self._network.support
        evidence = EVIDENCE if support is not None and support.known else ()
        return ["k_used", *evidence, *(ORDERS if self.permutations > 1 else ())]

    def _diagnostics(self, outputs: PermutationOutputs) -> Tensor:
        """Compute the diagnostics of rows, float64 [names, B]."""
        support = self._network.support
        found = [outputs.runs.double()]
        if support is not None and support.known:
            evidence, ood = support(outputs.z.mean(0), outputs.p.mean(0))
            found += [evidence.alpha, evidence.beta, ood]
        if len(outputs.p) > 1:
            orders = PermutationStatistics.of(outputs.p)
            yes = torch.ones(outputs.p.shape[1])
            found += [orders.std, orders.jsd, jensen_gap(outputs.p, yes), jensen_gap(outputs.p, 1 - yes)]
        return torch.stack(found)
