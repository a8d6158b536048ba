"""What kinds that pool partially over `group` have in common: inputs, sampling, and answers by posterior draws.

Samplers (jax, NumPyro, Pyro) are imported by name while fitting, so that serving needs none of them.
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
    """Logistic regression with coefficients B = mu + tau * z per group (Gelman & Hill 2007): mu ~ N(0, 1) is what all
    groups share, tau ~ HalfNormal(1) how far they lie apart, z ~ N(0, 1) where each stands.

    Columns are encoded; of a text, the `keep` strongest among its `words` most frequent words, the relations of its
    numbers and the products of both are columns. Every posterior draw is one opinion, the same for all rows.
    """

    reads = "both"
    encode: Encode = "auto"
    words: int = Field(64, ge=0)
    keep: int = Field(32, ge=1)
    _inputs: DesignMatrix = PrivateAttr()
    _groups: list[str] = PrivateAttr(default_factory=list)
    _coefficients: FloatArray = PrivateAttr()
    _features: LearnedFeatures | None = PrivateAttr(default=None)
    _how: dict[str, Any] = PrivateAttr(default_factory=dict)
    _chains: FloatArray = PrivateAttr(default_factory=lambda: np.zeros(0, np.float32))

    def training_record(self) -> TrainingRecord:
        how = {**self._how, "diagnostics": [Diagnostic(**d) for d in self._how.get("diagnostics", [])]}
        chains = dict(zip(how.pop("parameters", []), self._chains.astype(np.float64).tolist(), strict=True))
        return super().training_record().model_copy(update={**how, "chains": chains})

    def _posterior(self, Z: Array, codes: NumericArray, y: Labels, names: list[str]) -> Posterior:
        """The posterior given rows Z, shape (rows, columns), the number of each row's group, and the answers."""
        raise NotImplementedError

    def _most(self) -> int:
        """How many draws answer."""
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
        self._coefficients = posterior.coefficients(self._most(), self.seed)
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
        Z = Z if self._features is None else self._features.beside(Z)
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
    """The group of every row; all are of one where there is no such column."""
    return category_strings(X["group"].to_numpy()) if "group" in X else [ALL_GROUPS] * len(X)
