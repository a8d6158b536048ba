"""Calibrate probabilities (temperature and Platt scaling) and build conformal sets."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize

from credence.core.registry import StrictModel
from credence.statistics.uncertainty import Array, log_loss_per_row, logit, sigmoid

Bools = NDArray[np.bool_]
PRIOR = 0.25  # standard deviation of log slope and shift


class Calibration(StrictModel):
    """The YAML section `calibration`.

    `method` chooses the scaling. `alpha` is the error rate of conformal sets. `cost_ratio` is the cost of a missed
    yes in false alarms; it sets the decision threshold.
    """

    method: Literal["auto", "temperature", "platt", "none"] = Field("auto", description="scaling of the log-odds")
    alpha: float = Field(0.1, gt=0, lt=1, description="the most rows of an answer whose set may miss it, as a share")
    cost_ratio: float | None = Field(None, gt=0, description="false alarms that cost as much as one missed yes")


class Scaling(StrictModel):
    """p -> sigmoid(slope * logit(p) + shift), applied to every draw to preserve their disagreement.

    shift = 0 is temperature scaling (Guo et al. 2017), otherwise Platt scaling (Platt 1999).
    """

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, draws: Array) -> Array:
        """Scale probabilities of any shape."""
        return sigmoid(self.slope * logit(draws) + self.shift)


def log_loss(p: Array, y: NDArray[Any]) -> float:
    """Return the mean log-loss in nats of probabilities p and labels y (0 or 1), both of shape (rows,)."""
    return float(np.mean(log_loss_per_row(p, y)))


def fit_scaling(draws: Array, y: NDArray[Any], method: str = "auto") -> Scaling:
    """Fit the scaling with the lowest log-loss of the mean draw on the calibration rows.

    Args:
        draws: Probabilities, shape (draws, rows).
        y: Labels 0 or 1, shape (rows,).
        method: "temperature", "platt", "none", or "auto", which takes Platt scaling only if it lowers Akaike's
            information criterion.
    """
    if method == "none":
        return Scaling()
    temperature, platt = _fit(draws, y, shifted=False), _fit(draws, y, shifted=True)
    if method != "auto":
        return platt if method == "platt" else temperature
    gain = log_loss(temperature(draws).mean(0), y) - log_loss(platt(draws).mean(0), y)
    return platt if gain * len(y) > 1 else temperature


def _fit(draws: Array, y: NDArray[Any], shifted: bool) -> Scaling:
    """Find the maximum a posteriori, with normal priors on log slope and shift around 0 (no scaling).

    The prior dominates with few rows, and keeps the slope finite if a threshold separates the classes.
    """
    z = logit(draws)

    def objective(theta: Array) -> float:
        slope, shift = np.exp(theta[0]), theta[1] if shifted else 0.0
        loss = log_loss_per_row(sigmoid(slope * z + shift).mean(0), y).sum()
        return float(loss + 0.5 * np.sum((theta / PRIOR) ** 2))

    start, options = np.zeros(2 if shifted else 1), {"xatol": 1e-6, "fatol": 1e-8}
    found = minimize(objective, start, method="Nelder-Mead", options=options)
    return Scaling(slope=float(np.exp(found.x[0])), shift=float(found.x[1]) if shifted else 0.0)


class ConformalSets(StrictModel):
    """Class-conditional (Mondrian) conformal sets (Vovk et al. 2005).

    For each class, the set misses the true label with probability at most `alpha`. The nonconformity score of class
    c is 1 - p(c). `no` and `yes` are the sorted scores of the calibration rows of each class.
    """

    alpha: float
    no: list[float]
    yes: list[float]

    @classmethod
    def fit(cls, p: Array, y: NDArray[Any], alpha: float) -> Self:
        """Fit on calibrated probabilities p and labels y (0 or 1) of the calibration rows, both of shape (rows,)."""
        return cls(alpha=alpha, no=sorted(p[y == 0].tolist()), yes=sorted((1 - p[y == 1]).tolist()))

    def p_values(self, p: Array) -> Array:
        """Return the conformal p-values of (no, yes), shape (rows, 2).

        The p-value of a class is the share of its calibration rows that are at least as nonconforming; the row
        itself counts as one.
        """
        return np.stack([_p_value(self.no, p), _p_value(self.yes, 1 - p)], axis=1)

    def sets(self, p: Array) -> Bools:
        """Return whether each row's set contains (no, yes), shape (rows, 2)."""
        return self.p_values(p) > self.alpha


def _p_value(known: list[float], scores: Array) -> Array:
    """Compute conformal p-values; `known` is sorted."""
    return (len(known) - np.searchsorted(known, scores, side="left") + 1) / (len(known) + 1)
