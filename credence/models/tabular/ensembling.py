"""Combination of several tabular kinds: each member is a draw, or weighted log-odds make one draw."""

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
class WeightedEnsemble:
    """Fitted members of one fold.

    Attributes:
        opinions: The fitted members.
        weights: Weights of the members' log-odds, then the intercept, shape (members + 1,). None: each is a draw.
    """

    opinions: list[Any]
    weights: Array | None = None

    def draws(self, table: Table) -> Array:
        """Return probabilities of yes, shape (draws of all members, rows), or (1, rows) with weights."""
        if self.weights is None:
            return np.vstack([opinion.draws(table) for opinion in self.opinions])
        return weighted_average(log_odds(self.opinions, table), self.weights)[None]

    def contributions(self, table: Table) -> pd.DataFrame | None:
        """Return None: averages of probabilities have no exact contributions per column."""
        return None


class EnsembleModel(TabularModel):
    """A kind made of other tabular kinds."""

    members: list[ModelSpec] = Field(
        DEFAULT,
        min_length=2,
        description=(
            "Kinds with their parameters. They take seed, encoding and preprocessing from this kind unless given."
        ),
    )

    @field_validator("members")
    @classmethod
    def _members_read_columns(cls, members: list[ModelSpec]) -> list[ModelSpec]:
        for spec in members:
            if not isinstance(spec.build(), TabularModel) or isinstance(spec.build(), EnsembleModel):
                raise InputError(f"members: {spec.kind!r} cannot be one; expected single kinds that read columns.")
        return members

    def _fit_members(self, table: Table, y: Labels) -> list[ProbabilityModel]:
        """Fit every member to the same rows."""
        return [self._member_model(spec)._member(table, y) for spec in self.members]

    def _member_model(self, spec: ModelSpec) -> TabularModel:
        shared = {name: getattr(self, name) for name in SHARED}
        model: TabularModel = spec.model_copy(update=shared | (spec.model_extra or {})).build()
        return model


def log_odds(opinions: list[Any], table: Table) -> Array:
    """Return the log-odds of each member's mean p(yes), shape (rows, members)."""
    return np.stack([logit(opinion.draws(table).mean(0)) for opinion in opinions], axis=1)


def weighted_average(odds: Array, weights: Array) -> Array:
    """Combine log-odds into p(yes), shape (rows,).

    Args:
        odds: Log-odds, shape (rows, members).
        weights: Weights, then the intercept, shape (members + 1,).
    """
    return sigmoid(odds @ weights[:-1] + weights[-1])


def equal_weights(k: int) -> Array:
    """Return weights 1 / k for k members, then the intercept 0, shape (k + 1,)."""
    return np.append(np.full(k, 1 / k), 0.0)


def best_weights(odds: Array, y: Labels) -> Array:
    """Fit non-negative weights and an intercept by log-loss, with a small penalty towards equal weights.

    Args:
        odds: Log-odds on rows that the members have not seen, shape (rows, members).
        y: Labels in {0, 1}, shape (rows,).

    Returns:
        Weights, then the intercept, shape (members + 1,). Non-negative weights follow Breiman (1996).
    """
    k = odds.shape[1]
    start = equal_weights(k)

    def loss(w: Array) -> tuple[float, Array]:
        z = odds @ w[:-1] + w[-1]
        wrong = sigmoid(z) - y
        slope = np.append(odds.T @ wrong, wrong.sum()) / len(y) + 2 * PENALTY * (w - start)
        return float(np.mean(np.logaddexp(0.0, z) - y * z) + PENALTY * np.sum((w - start) ** 2)), slope

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * k + [(None, None)])
    return np.asarray(found.x)
