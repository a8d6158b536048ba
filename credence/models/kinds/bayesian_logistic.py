"""Bayesian logistic regression by the Laplace approximation; the prior precision is fitted by evidence."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, PrivateAttr
from threadpoolctl import threadpool_limits

from credence.core.errors import InputError
from credence.model import Labels, Model, TrainingRecord
from credence.models.bayes.design_matrix import DesignMatrix, from_columns
from credence.models.bayes.laplace import fit_by_evidence
from credence.models.tabular import serialization
from credence.models.tabular.encoding import Encode, TableEncoding
from credence.statistics.uncertainty import Array, sigmoid


class BayesianLogistic(Model):
    """Gaussian posterior around the mode, under the prior precision with the highest evidence (MacKay 1992)."""

    encode: Encode = Field(
        "auto",
        description="encoding of categories; `auto` is one-hot up to 20 categories, else the shrunk mean of the label",
    )
    knots: int = Field(0, ge=0, le=20, description="spline knots per number; 0 is a straight line")
    samples: int = Field(200, ge=2, description="number of draws: weight vectors from the posterior")
    _inputs: DesignMatrix = PrivateAttr()
    _weights: Array = PrivateAttr()
    _center: Array = PrivateAttr()
    _notes: list[str] = PrivateAttr(default_factory=list)

    def training_record(self) -> TrainingRecord:
        """Return costs, and prior precision and log evidence as a note."""
        return super().training_record().model_copy(update={"notes": self._notes})

    def explain(self, X: pd.DataFrame) -> pd.DataFrame | None:
        """Return SHAP values of the mean log-odds, exact for independent columns, shape (rows, input columns)."""
        encoding, Z = self._inputs.encoding, self._inputs.matrix(X)[:, :-1]
        assert encoding is not None
        values = (Z - self._center) * self._weights.mean(0)[:-1]
        return encoding.by_input(values, np.arange(Z.shape[1])).set_index(X.index)

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest the number of knots; the penalty needs no search."""
        return {"knots": trial.suggest_int("knots", 0, 8)}

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        if len(np.unique(y)) < 2:
            raise InputError(f"all {len(y)} training rows have the same answer; a model needs rows of both.")
        with threadpool_limits(1):
            self._inputs, Z = from_columns(X, y, TableEncoding(self.encode, knots=self.knots, seed=self.seed))
            found = fit_by_evidence(Z, y)
        self._center, self._weights = Z[:, :-1].mean(0), found.sample(self.samples, self.seed)
        self._notes = [f"prior precision {found.precision:.3g}, log evidence {found.evidence:.1f} nats"]

    def _draws(self, X: pd.DataFrame) -> Array:
        return sigmoid(self._weights @ self._inputs.matrix(X).T)

    def _save(self, folder: Path) -> None:
        arrays = {"weights": self._weights, "center": self._center}
        serialization.dump({"inputs": self._inputs.stored(), "notes": self._notes, **arrays}, folder)

    def _load(self, folder: Path) -> None:
        stored = serialization.load(folder)
        self._inputs, self._notes = DesignMatrix.restored(stored["inputs"]), stored["notes"]
        self._weights, self._center = stored["weights"], stored["center"]
