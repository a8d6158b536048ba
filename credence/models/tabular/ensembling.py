"""Several kinds that answer together: each a draw of its own, or weighed into one answer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator
from scipy.optimize import minimize

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.model import Labels
from credence.models.tabular import ProbabilityModel, TabularModel
from credence.models.tabular.encoding import Table
from credence.statistics.uncertainty import Array, logit, sigmoid

DEFAULT = [ModelSpec(kind="logistic"), ModelSpec(kind="random_forest"), ModelSpec(kind="hist_gradient_boosting")]
SHARED = ("seed", "scale", "encode", "drop_collinear", "select", "resample")
PENALTY = 1e-3


@dataclass
class Ensemble:
    """Fitted opinions. With `weights`, which end with the intercept, their log-odds are added up to one draw."""

    opinions: list[Any]
    weights: Array | None = None

    def draws(self, table: Table) -> Array:
        """Probabilities of yes, shape (opinions, rows), or (1, rows) where they are weighed."""
        if self.weights is None:
            return np.vstack([opinion.draws(table) for opinion in self.opinions])
        return weighted_average(log_odds(self.opinions, table), self.weights)[None]

    def contributions(self, table: Table) -> pd.DataFrame | None:
        """None: averages of probabilities have no exact share per column."""
        return None


class EnsembleModel(TabularModel):
    """A kind made of other kinds, which all take its encoding, selection and balance unless they bring their own."""

    members: list[ModelSpec] = Field(DEFAULT, min_length=2)

    @field_validator("members")
    @classmethod
    def _members_read_columns(cls, members: list[ModelSpec]) -> list[ModelSpec]:
        for spec in members:
            if not isinstance(spec.build(), TabularModel) or isinstance(spec.build(), EnsembleModel):
                raise InputError(f"members: {spec.kind!r} cannot be one; expected single kinds that read columns.")
        return members

    def _opinions(self, table: Table, y: Labels) -> list[ProbabilityModel]:
        """One fit of every member kind on the same rows."""
        return [self._member_model(spec)._member(table, y) for spec in self.members]

    def _member_model(self, spec: ModelSpec) -> TabularModel:
        shared = {name: getattr(self, name) for name in SHARED}
        model: TabularModel = spec.model_copy(update=shared | (spec.model_extra or {})).build()
        return model


def log_odds(opinions: list[Any], table: Table) -> Array:
    """The opinions' log-odds, shape (rows, opinions)."""
    return np.stack([logit(opinion.draws(table).mean(0)) for opinion in opinions], axis=1)


def weighted_average(odds: Array, weights: Array) -> Array:
    """p(yes) from log-odds, shape (rows, opinions), and their weights, which end with the intercept."""
    return sigmoid(odds @ weights[:-1] + weights[-1])


def equal_weights(k: int) -> Array:
    """Equal shares for k opinions, and no intercept."""
    return np.append(np.full(k, 1 / k), 0.0)


def best_weights(odds: Array, y: Labels) -> Array:
    """The non-negative weights and the intercept with the lowest log-loss, drawn a little to equal shares."""
    k = odds.shape[1]
    start = equal_weights(k)

    def loss(w: Array) -> tuple[float, Array]:
        z = odds @ w[:-1] + w[-1]
        wrong = sigmoid(z) - y
        slope = np.append(odds.T @ wrong, wrong.sum()) / len(y) + 2 * PENALTY * (w - start)
        return float(np.mean(np.logaddexp(0.0, z) - y * z) + PENALTY * np.sum((w - start) ** 2)), slope

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * k + [(None, None)])
    return np.asarray(found.x)
