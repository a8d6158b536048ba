"""What kinds that read columns have in common: encoding, selection, balance and folds, learned inside the fold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import pandas as pd
from pydantic import Field, PrivateAttr
from threadpoolctl import threadpool_limits

from credence.core.errors import InputError
from credence.model import Labels, Model
from credence.models.tabular import serialization
from credence.models.tabular.encoding import Encode, Table, TableEncoding, feature_columns
from credence.models.tabular.fast_predict import to_fast_scorer
from credence.models.tabular.preprocessing import Columns, drop_collinear, oversample_smote, select_features_rfe
from credence.statistics.cross_validation import stratified_folds, with_progress
from credence.statistics.uncertainty import Array, logit, sigmoid


class ProbabilityModel(Protocol):
    """What one fold yields: something that answers with one or more draws."""

    def draws(self, table: Table) -> Array:
        """Probabilities of yes, shape (draws, rows)."""

    def contributions(self, table: Table) -> pd.DataFrame | None:
        """Contributions to the log-odds, shape (rows, input columns), or None where they are not cheap."""


@dataclass
class FoldModel:
    """One fitted estimator: how it reads rows, which columns of the matrix it looks at, and what it learned.

    `shift` is added to its log-odds: balanced training rows make the rarer answer look common (Elkan 2001).
    """

    encoding: TableEncoding
    kept: Columns
    scorer: Any
    shift: float

    def draws(self, table: Table) -> Array:
        """Probabilities of yes, shape (draws, rows)."""
        Z = self.encoding.transform(table)[:, self.kept]
        p = self.scorer.draws(Z) if hasattr(self.scorer, "draws") else self.scorer.predict_proba(Z)[:, 1][None]
        return sigmoid(logit(p) + self.shift) if self.shift else np.asarray(p)

    def contributions(self, table: Table) -> pd.DataFrame | None:
        """SHAP values of the matrix's columns, added up per input column."""
        Z = self.encoding.transform(table)[:, self.kept]
        found = self.scorer.contributions(Z) if hasattr(self.scorer, "contributions") else None
        return None if found is None else self.encoding.by_input(found, self.kept)


class TabularModel(Model):
    """A kind that reads columns. Each fold's model learns on the other folds and is one draw; 1 is a single fit."""

    native: ClassVar[bool] = False
    folds: int = Field(5, ge=1)
    scale: bool = True
    encode: Encode = "auto"
    drop_collinear: float | None = Field(None, gt=1)
    select: int | None = Field(None, ge=1)
    resample: Literal["smote"] | None = None
    _members: list[Any] = PrivateAttr(default_factory=list)
    _out_of_fold: Array | None = PrivateAttr(default=None)

    def out_of_fold(self) -> Array | None:
        """p(yes) of every training row, in fit's order, by a model that did not learn from it; None for one fold."""
        return self._out_of_fold

    def explain(self, X: pd.DataFrame) -> pd.DataFrame | None:
        """Exact SHAP values of the log-odds, shape (rows, input columns), averaged over folds; None where not cheap."""
        table = feature_columns(X)
        found = [values for member in self._members if (values := member.contributions(table)) is not None]
        return (sum(found[1:], found[0]) / len(found)).set_index(X.index) if found else None

    def _estimator(self, y: Labels) -> Any:
        """An unfitted scikit-learn classifier for training rows with these answers."""
        raise NotImplementedError

    def _learn(self, Z: Array, y: Labels) -> Any:
        """What answers for this kind: `predict_proba(Z)`, or `draws(Z)` where it holds several opinions."""
        return to_fast_scorer(self._estimator(y).fit(Z, y), Z)

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        if len(np.unique(y)) < 2:
            raise InputError(f"all {len(y)} training rows have the same answer; a model needs rows of both.")
        table, dealt = feature_columns(X), stratified_folds(y, self.folds, self.seed)
        with threadpool_limits(1):
            learned = [
                self._member(part_of_rows(table, train), y[train]) for train, _ in with_progress(dealt, self.kind())
            ]
            self._members = learned or [self._member(table, y)]
        self._out_of_fold = self._held_out(table, dealt, len(y)) if dealt else None

    def _held_out(self, table: Table, dealt: list[Any], n: int) -> Array:
        p = np.empty(n)
        for member, (_, held) in zip(self._members, dealt, strict=True):
            p[held] = member.draws(part_of_rows(table, held)).mean(0)
        return p

    def _encoding(self) -> TableEncoding:
        """How columns become a matrix; selection and balance need one without holes."""
        prepares = bool(self.drop_collinear or self.select or self.resample)
        return TableEncoding(self.encode, self.scale, raw=self.native and not prepares, seed=self.seed)

    def _member(self, table: Table, y: Labels) -> ProbabilityModel:
        """Learn one opinion from these rows and no others."""
        encoding = self._encoding()
        Z, learned_from = encoding.fit_transform(table, y), y
        kept = drop_collinear(Z, self.drop_collinear) if self.drop_collinear else np.arange(Z.shape[1])
        if self.resample:
            Z, learned_from = oversample_smote(Z, y, self.seed)
        if self.select:
            kept = kept[select_features_rfe(Z[:, kept], learned_from, self.select)]
        shift = float(logit(y.mean()) - logit(learned_from.mean()))
        return FoldModel(encoding, kept, self._learn(Z[:, kept], learned_from), shift)

    def _draws(self, X: pd.DataFrame) -> Array:
        table = feature_columns(X)
        return np.vstack([member.draws(table) for member in self._members])

    def _save(self, folder: Path) -> None:
        serialization.dump(self._members, folder)
        if self._out_of_fold is not None:
            np.save(folder / "out_of_fold.npy", self._out_of_fold, allow_pickle=False)

    def _load(self, folder: Path) -> None:
        self._members = serialization.load(folder)
        file = folder / "out_of_fold.npy"
        self._out_of_fold = np.load(file, allow_pickle=False) if file.exists() else None


def part_of_rows(table: Table, rows: Any) -> Table:
    """Some rows of a table."""
    return {name: values[rows] for name, values in table.items()}
