"""A transformer that doubts: a Bayesian last layer, a code length to learn by, orders, and the evidence behind it."""

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
    """Tokens of a text, or one per column, `layers` pre-LN layers of `width`, and a Gaussian over the last weights.

    Draws are `samples` weight vectors, each in `permutations` orders where orders are averaged. Blocks that may stand
    in any order are columns, or the sentences of a text; `auto` takes columns as a set and reads texts as they stand.
    With a `checkpoint` the tokens of a text are what that encoder made of its pieces, all in their order; it stays as
    it is, or learns above its `freeze` lower layers.
    """

    reads = "both"
    read_by = TrainingInputs
    width: int = Field(64, ge=2)
    layers: int = Field(2, ge=1)
    heads: int = Field(4, ge=1)
    samples: int = Field(50, ge=1)
    orders: Literal["auto", "exact", "average", "off"] = "auto"
    permutations: int = Field(1, ge=1)
    mdl: bool = True
    evidence: bool = True
    debias: bool = True
    loops: int = Field(1, ge=1)
    relations: bool = True
    fone: bool = True
    vocabulary: int = Field(30_000, ge=1)
    longest: int = Field(512, ge=1)
    checkpoint: str | None = Field(None, min_length=1)
    freeze: int | None = Field(None, ge=0)
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
        if not self._fitted:
            raise NotFitted(f"{self.display_name()} has not been fitted; call fit(X, y) first.")
        names = self._names()
        found = self._over(self._rows(X), self._found) if len(X) else np.zeros((len(names), 0))
        return dict(zip(names, found, strict=True))

    def predict_all(self, X: pd.DataFrame) -> tuple[Array, dict[str, Array]]:
        if not self._fitted or not len(X):
            return super().predict_all(X)
        names = self._names()
        both = self._over(self._rows(X), self._both)
        return both[len(names) :], dict(zip(names, both, strict=False))

    def training_record(self) -> TrainingRecord:
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
        usual: Literal["exact", "off"] = "exact" if isinstance(reader.reader, TableTokenizer) else "off"
        return ExpectationTransformer(
            reader,
            TransformerConfig(
                width=self.width,
                layers=self.layers,
                heads=self.heads,
                dropout=self.dropout,
                mdl=self.mdl,
                orders=usual if self.orders == "auto" else self.orders,
                permutations=self.permutations,
                evidence=self.evidence,
                debias=self.debias,
                loops=self.loops,
                seed=self.seed,
            ),
            self._pieces(reader.reader) if isinstance(reader.reader, PretrainedTokenizer) else None,
        )

    def _opinions(self, batch: Batch) -> Tensor:
        return self._network.draws(self._network.opinions(batch).z, self.samples)

    def _both(self, batch: Batch) -> Tensor:
        """Findings, then draws: [names + draws, B], float64."""
        said = self._network.opinions(batch)
        return torch.cat([self._stated(said), self._network.draws(said.z, self.samples)])

    def _finish(self, rows: PaddedRows, held_out: PaddedRows | None) -> None:
        if self._network.head.variational is not None:
            self._network.head.variational.fit_prior()
        if held_out is None:
            return
        if self.loops > 1:
            self._budget(held_out)
        if self._network.support is not None:
            self._network.support.fit(self._features(rows), self._features(held_out))

    def _budget(self, held_out: PaddedRows) -> None:
        """How many runs through the layers a row is worth, by what each number of them does for held-out rows."""
        ks = torch.arange(1, self.loops + 1)
        nll = self._over(held_out, lambda batch: torch.stack([self._network.surprise(batch, k) for k in ks]))
        lengths = self._over(held_out, lambda batch: self._network.read(batch).mask.sum(1)[None])[0]
        needed = smallest_sufficient_k(torch.as_tensor(nll), ks, PRECISION)
        self._network.encoder.budget.fit(torch.as_tensor(lengths), needed, PRECISION)

    def _features(self, rows: PaddedRows) -> RowFeatures:
        """What the last layer sees of these rows, their probabilities and their answers."""
        seen = torch.as_tensor(self._over(rows, self._seen))
        return RowFeatures(seen[2:].T, seen[0], seen[1])

    def _seen(self, batch: Batch) -> Tensor:
        """[probability, answer, features] of rows, [2 + d, B]."""
        said = self._network.opinions(batch)
        return torch.cat([said.p.mean(0)[None], batch["label"][None].double(), said.z.mean(0).T.double()])

    def _names(self) -> list[str]:
        """What is found of every row, in the order of `_found`."""
        support = self._network.support
        evidence = EVIDENCE if support is not None and support.known else ()
        return ["k_used", *evidence, *(ORDERS if self.permutations > 1 else ())]

    def _found(self, batch: Batch) -> Tensor:
        return self._stated(self._network.opinions(batch))

    def _stated(self, said: PermutationOutputs) -> Tensor:
        """Findings [names, B], float64."""
        support = self._network.support
        found = [said.runs.double()]
        if support is not None and support.known:
            evidence, ood = support(said.z.mean(0), said.p.mean(0))
            found += [evidence.alpha, evidence.beta, ood]
        if len(said.p) > 1:
            orders = PermutationStatistics.of(said.p)
            yes = torch.ones(said.p.shape[1])
            found += [orders.std, orders.jsd, jensen_gap(said.p, yes), jensen_gap(said.p, 1 - yes)]
        return torch.stack(found)
