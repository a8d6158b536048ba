"""Base class of tabular kinds: encoding, column selection and oversampling, fitted within each fold."""

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
    """A fitted model of one fold; answers with one or more draws."""

    def draws(self, table: Table) -> Array:
        """Return probabilities of yes, shape (draws, rows)."""

    def contributions(self, table: Table) -> pd.DataFrame | None:
        """Return contributions to the log-odds, shape (rows, input columns), or None if they are not cheap."""


@dataclass
class FoldModel:
    """A fitted estimator with its encoding.

    Attributes:
        encoding: Turns a table into a matrix.
        kept: The matrix columns that the estimator uses.
        scorer: The estimator, or its fast form.
        shift: Added to the log-odds; corrects for oversampling, which makes the rarer label look common (Elkan 2001).
    """

    encoding: TableEncoding
    kept: Columns
    scorer: Any
    shift: float

    def draws(self, table: Table) -> Array:
        """Return probabilities of yes, shape (draws, rows)."""
        Z = self.encoding.transform(table)[:, self.kept]
        p = self.scorer.draws(Z) if hasattr(self.scorer, "draws") else self.scorer.predict_proba(Z)[:, 1][None]
        return sigmoid(logit(p) + self.shift) if self.shift else np.asarray(p)

    def contributions(self, table: Table) -> pd.DataFrame | None:
        """Return SHAP values summed per input column, shape (rows, input columns), or None."""
        Z = self.encoding.transform(table)[:, self.kept]
        found = self.scorer.contributions(Z) if hasattr(self.scorer, "contributions") else None
        return None if found is None else self.encoding.by_input(found, self.kept)


class TabularModel(Model):
    """A kind that reads columns. Each fold's model is fitted on the other folds and is one draw."""

    native: ClassVar[bool] = False
    folds: int = Field(5, ge=1, description="number of folds; 1 is a single fit on all rows")
    scale: bool = Field(True, description="whether to scale columns to mean 0 and standard deviation 1")
    encode: Encode = Field(
        "auto",
        description="encoding of categories; `auto` is one-hot up to 20 categories, else the shrunk mean of the label",
    )
    drop_collinear: float | None = Field(
        None, gt=1, description="Largest variance inflation factor; columns above it are dropped. Default: none are."
    )
    select: int | None = Field(
        None, ge=1, description="Number of columns kept by recursive feature elimination. Default: all."
    )
    resample: Literal["smote"] | None = Field(
        None, description="`smote` oversamples the rarer label (Chawla et al. 2002)."
    )
    _members: list[Any] = PrivateAttr(default_factory=list)
    _out_of_fold: Array | None = PrivateAttr(default=None)

    def out_of_fold(self) -> Array | None:
        """Return p(yes) of each training row by the model of its fold, shape (rows,); None for one fold."""
        return self._out_of_fold

    def explain(self, X: pd.DataFrame) -> pd.DataFrame | None:
        """Return exact SHAP values of the log-odds, averaged over folds, or None if not cheap.

        Returns:
            Frame of shape (rows, input columns) with the index of X.
        """
        table = feature_columns(X)
        found = [values for member in self._members if (values := member.contributions(table)) is not None]
        return (sum(found[1:], found[0]) / len(found)).set_index(X.index) if found else None

    def _estimator(self, y: Labels) -> Any:
        """Return an unfitted scikit-learn classifier for training rows with these labels."""
        raise NotImplementedError

    def _learn(self, Z: Array, y: Labels) -> Any:
        """Fit to a matrix; return an object with `predict_proba(Z)`, or with `draws(Z)` for several draws."""
        return to_fast_scorer(self._estimator(y).fit(Z, y), Z)

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        if len(np.unique(y)) < 2:
            raise InputError(f"all {len(y)} training rows have the same answer; a model needs rows of both.")
        table, folds = feature_columns(X), stratified_folds(y, self.folds, self.seed)
        with threadpool_limits(1):
            learned = [
                self._member(part_of_rows(table, train), y[train]) for train, _ in with_progress(folds, self.kind())
            ]
            self._members = learned or [self._member(table, y)]
        self._out_of_fold = self._held_out(table, folds, len(y)) if folds else None

    def _held_out(self, table: Table, folds: list[Any], n: int) -> Array:
        p = np.empty(n)
        for member, (_, test) in zip(self._members, folds, strict=True):
            p[test] = member.draws(part_of_rows(table, test)).mean(0)
        return p

    def _encoding(self) -> TableEncoding:
        """Return an unfitted encoding. Selection and oversampling need a matrix without missing values."""
        needs_full_matrix = bool(self.drop_collinear or self.select or self.resample)
        return TableEncoding(self.encode, self.scale, raw=self.native and not needs_full_matrix, seed=self.seed)

    def _member(self, table: Table, y: Labels) -> ProbabilityModel:
        """Fit encoding, preprocessing and estimator to these rows."""
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
    """Select rows of a table by number or mask."""
    return {name: values[rows] for name, values in table.items()}
