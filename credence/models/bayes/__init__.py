"""Base class of hierarchical kinds, which pool partially over `group`.

Samplers (jax, NumPyro, Pyro) are imported only while fitting; serving needs numpy alone.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, PrivateAttr

from credence.core.errors import InputError
from credence.data.rows import ALL_GROUPS
from credence.model import Diagnostic, Labels, Model, TrainingRecord
from credence.models.bayes.design_matrix import DesignMatrix, from_columns, from_texts
from credence.models.bayes.posterior import (
    FloatArray,
    LearnedFeatures,
    NumericArray,
    Posterior,
    group_codes,
    predict_draws,
)
from credence.models.tabular import serialization
from credence.models.tabular.encoding import Encode, TableEncoding, category_strings
from credence.statistics.uncertainty import Array


class PooledModel(Model):
    """Hierarchical logistic regression (Gelman & Hill 2007) with coefficients B = mu + tau * z per group.

    The priors are mu ~ N(0, 1), shared by all groups; tau ~ HalfNormal(1), their spread; z ~ N(0, 1) per group. Each
    posterior draw is one draw for all rows. A new group gets z ~ N(0, 1) in each draw.

    Columns are encoded as in tabular kinds. Columns of a text are words, relations between its numbers, and products
    of both.
    """

    reads = "both"
    encode: Encode = Field(
        "auto",
        description="encoding of categories; `auto` is one-hot up to 20 categories, else the shrunk mean of the label",
    )
    words: int = Field(64, ge=0, description="number of most frequent words that are candidates for columns of a text")
    keep: int = Field(32, ge=1, description="most columns of a text, by weight in an L1 logistic regression")
    _inputs: DesignMatrix = PrivateAttr()
    _groups: list[str] = PrivateAttr(default_factory=list)
    _coefficients: FloatArray = PrivateAttr()
    _features: LearnedFeatures | None = PrivateAttr(default=None)
    _how: dict[str, Any] = PrivateAttr(default_factory=dict)
    _chains: FloatArray = PrivateAttr(default_factory=lambda: np.zeros(0, np.float32))

    def training_record(self) -> TrainingRecord:
        """Return costs, curves, convergence diagnostics, and chains of mu and tau."""
        how = {**self._how, "diagnostics": [Diagnostic(**d) for d in self._how.get("diagnostics", [])]}
        chains = dict(zip(how.pop("parameters", []), self._chains.astype(np.float64).tolist(), strict=True))
        return super().training_record().model_copy(update={**how, "chains": chains})

    def _posterior(self, Z: Array, codes: NumericArray, y: Labels, names: list[str]) -> Posterior:
        """Sample the posterior given rows Z (rows, columns), the group number of each row, and labels in {0, 1}."""
        raise NotImplementedError

    def _max_draws(self) -> int:
        """Return the number of posterior draws to keep."""
        raise NotImplementedError

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        if len(np.unique(y)) < 2:
            raise InputError(f"all {len(y)} training rows have the same answer; a model needs rows of both.")
        if "text" in X:
            self._inputs, Z = from_texts(X, y, self.words, self.keep, self.seed)
        else:
            self._inputs, Z = from_columns(X, y, TableEncoding(self.encode, seed=self.seed))
        named = _groups_of(X)
        self._groups = sorted(set(named))
        posterior = self._posterior(Z, group_codes(named, self._groups), y, self._inputs.names())
        self._keep(posterior)

    def _keep(self, posterior: Posterior) -> None:
        self._coefficients = posterior.coefficients(self._max_draws(), self.seed)
        self._features = posterior.features
        self._chains = np.array([*posterior.chains.values()], np.float32)
        self._how = {
            "curves": posterior.curves,
            "diagnostics": [d.model_dump() for d in posterior.diagnostics],
            "notes": posterior.notes,
            "parameters": [*posterior.chains],
        }

    def _draws(self, X: pd.DataFrame) -> Array:
        Z = self._inputs.matrix(X)
        Z = Z if self._features is None else self._features.prepend_to(Z)
        return predict_draws(Z, group_codes(_groups_of(X), self._groups), self._coefficients)

    def _save(self, folder: Path) -> None:
        features = [*self._features] if self._features else None
        arrays = {"coefficients": self._coefficients, "chains": self._chains, "features": features}
        serialization.dump(
            {"inputs": self._inputs.stored(), "groups": self._groups, "how": self._how, **arrays}, folder
        )

    def _load(self, folder: Path) -> None:
        stored = serialization.load(folder)
        self._inputs, self._groups, self._how = DesignMatrix.restored(stored["inputs"]), stored["groups"], stored["how"]
        self._coefficients, self._chains = stored["coefficients"], stored["chains"]
        self._features = LearnedFeatures(*stored["features"]) if stored["features"] else None


def _groups_of(X: pd.DataFrame) -> list[str]:
    """Return the group of every row; one for all without the column `group`."""
    return category_strings(X["group"].to_numpy()) if "group" in X else [ALL_GROUPS] * len(X)
