"""Posterior draws of coefficients that differ by group, as arrays, and what they answer: numpy alone."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from credence.model import Diagnostic
from credence.statistics.uncertainty import Array, sigmoid

FloatArray = NDArray[np.float32]
NumericArray = NDArray[np.intp]


class LearnedFeatures(NamedTuple):
    """Columns that were learned: tanh(Z @ weight + bias) of all columns but the ones at the end, before those."""

    weight: Array
    bias: Array

    def beside(self, Z: Array) -> Array:
        """Z, shape (rows, columns), as (rows, features + columns)."""
        return np.hstack([np.tanh(Z[:, :-1] @ self.weight + self.bias), Z])


@dataclass
class Posterior:
    """Draws of mu and tau, shape (draws, columns), and of B = mu + tau * z, shape (draws, groups, columns).

    `features` are columns that were learned with them. `chains` holds draws by parameter, shape (chains, draws);
    `curves`, `diagnostics` and `notes` tell how they came.
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
        """At most so many draws, evenly chosen, shape (draws, groups + 1, columns).

        The last group is one that was never seen: mu + tau * z with z ~ N(0, 1) of its own in every draw.
        """
        chosen = np.linspace(0, len(self.mu) - 1, min(most, len(self.mu))).round().astype(np.intp)
        mu, tau = self.mu[chosen], self.tau[chosen]
        unseen = mu + tau * np.random.default_rng(seed).standard_normal(mu.shape)
        return np.concatenate([self.B[chosen], unseen[:, None]], axis=1).astype(np.float32)


def predict_draws(Z: Array, codes: NumericArray, coefficients: FloatArray) -> Array:
    """p(yes) of rows Z, shape (rows, columns), of the groups `codes`, by every draw: shape (draws, rows)."""
    draws = np.empty((len(coefficients), len(Z)))
    for code in np.unique(codes):
        rows = codes == code
        draws[:, rows] = sigmoid(coefficients[:, code].astype(np.float64) @ Z[rows].T)
    return draws


def group_codes(names: list[str], groups: list[str]) -> NumericArray:
    """The number of every row's group; one that was never seen has the number after the last."""
    known = {group: number for number, group in enumerate(groups)}
    return np.array([known.get(name, len(groups)) for name in names], dtype=np.intp)


def thin_draws(draws: Any, most: int) -> FloatArray:
    """At most so many draws of each chain, evenly chosen: shape (chains, draws) stays (chains, at most `most`)."""
    n = np.shape(draws)[1]
    chosen = np.linspace(0, n - 1, min(most, n)).round().astype(np.intp)
    return np.asarray(draws, np.float32)[:, chosen]
