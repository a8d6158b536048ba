"""Posterior draws of coefficients per group, and predictions from them; numpy only."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from credence.model import Diagnostic
from credence.statistics.uncertainty import Array, sigmoid

FloatArray = NDArray[np.float32]
NumericArray = NDArray[np.intp]


class LearnedFeatures(NamedTuple):
    """Learned columns tanh(Z[:, :-1] @ weight + bias); the last column of Z is ones.

    Attributes:
        weight: Shape (columns - 1, features).
        bias: Shape (features,).
    """

    weight: Array
    bias: Array

    def prepend_to(self, Z: Array) -> Array:
        """Prepend the learned columns to Z (rows, columns); return shape (rows, features + columns)."""
        return np.hstack([np.tanh(Z[:, :-1] @ self.weight + self.bias), Z])


@dataclass
class Posterior:
    """Posterior draws of a hierarchical model.

    Attributes:
        mu: Shape (draws, columns).
        tau: Shape (draws, columns).
        B: mu + tau * z, shape (draws, groups, columns).
        features: Columns that were learned with the model, if any.
        chains: Parameter -> thinned draws for the report, shape (chains, draws).
        curves: Name -> loss curve.
        diagnostics: Convergence diagnostics.
        notes: Sentences for the report.
    """

    mu: Array
    tau: Array
    B: Array
    features: LearnedFeatures | None = None
    chains: dict[str, FloatArray] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def coefficients(self, most: int, seed: int) -> FloatArray:
        """Return evenly chosen draws of B for all groups and a new one.

        Args:
            most: Largest number of draws.
            seed: Seed of the new group's z.

        Returns:
            float32, shape (draws, groups + 1, columns). The last group is a new one: mu + tau * z, z ~ N(0, 1).
        """
        chosen = np.linspace(0, len(self.mu) - 1, min(most, len(self.mu))).round().astype(np.intp)
        mu, tau = self.mu[chosen], self.tau[chosen]
        unseen = mu + tau * np.random.default_rng(seed).standard_normal(mu.shape)
        return np.concatenate([self.B[chosen], unseen[:, None]], axis=1).astype(np.float32)


def predict_draws(Z: Array, codes: NumericArray, coefficients: FloatArray) -> Array:
    """Return p(yes) of every row under every draw, shape (draws, rows).

    Args:
        Z: Design matrix, shape (rows, columns).
        codes: Group number of each row, shape (rows,).
        coefficients: Shape (draws, groups + 1, columns).
    """
    draws = np.empty((len(coefficients), len(Z)))
    for code in np.unique(codes):
        rows = codes == code
        draws[:, rows] = sigmoid(coefficients[:, code].astype(np.float64) @ Z[rows].T)
    return draws


def group_codes(names: list[str], groups: list[str]) -> NumericArray:
    """Return the number of every row's group in `groups`, or len(groups) for a new group."""
    known = {group: number for number, group in enumerate(groups)}
    return np.array([known.get(name, len(groups)) for name in names], dtype=np.intp)


def thin_draws(draws: Any, most: int) -> FloatArray:
    """Choose at most `most` draws of each chain evenly: float32, shape (chains, at most `most`)."""
    n = np.shape(draws)[1]
    chosen = np.linspace(0, n - 1, min(most, n)).round().astype(np.intp)
    return np.asarray(draws, np.float32)[:, chosen]
