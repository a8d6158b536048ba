"""From draws to probabilities that mean what they say, and to sets that hold the truth as often as promised."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize

from credence.core.registry import StrictModel
from credence.statistics.uncertainty import Array, logit, sigmoid

Bools = NDArray[np.bool_]
PRIOR = 0.25


class Calibration(StrictModel):
    """How probabilities are calibrated, how often the truth may be outside the set, and what a miss costs."""

    method: Literal["auto", "temperature", "platt", "none"] = "auto"
    alpha: float = Field(0.1, gt=0, lt=1)
    cost_ratio: float | None = Field(None, gt=0)


class Scaling(StrictModel):
    """p -> sigmoid(slope * logit(p) + shift), applied to every draw so that disagreement survives.

    shift = 0 is temperature scaling (Guo et al. 2017), otherwise Platt scaling (Platt 1999).
    """

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, draws: Array) -> Array:
        return sigmoid(self.slope * logit(draws) + self.shift)


def log_loss(p: Array, y: NDArray[Any]) -> float:
    """Mean negative log-likelihood in nats; p is kept away from 0 and 1 by 1e-7."""
    z = logit(p)
    return float(np.mean(np.logaddexp(0.0, np.where(y == 1, -z, z))))


def fit_scaling(draws: Array, y: NDArray[Any], method: str = "auto") -> Scaling:
    """The scaling with the lowest log-loss of the mean draw on the calibration rows.

    `auto` keeps temperature's single parameter unless Platt's second one pays for itself (Akaike's criterion).
    """
    if method == "none":
        return Scaling()
    temperature, platt = _fit(draws, y, shifted=False), _fit(draws, y, shifted=True)
    if method != "auto":
        return platt if method == "platt" else temperature
    gain = log_loss(temperature(draws).mean(0), y) - log_loss(platt(draws).mean(0), y)
    return platt if gain * len(y) > 1 else temperature


def _fit(draws: Array, y: NDArray[Any], shifted: bool) -> Scaling:
    """Maximum a posteriori under normal priors on log slope and shift around "as the model says".

    Few rows hardly move the model, many rows decide alone; separable rows keep the slope finite.
    """
    z = logit(draws)

    def loss(theta: Array) -> float:
        slope, shift = np.exp(theta[0]), theta[1] if shifted else 0.0
        q = logit(sigmoid(slope * z + shift).mean(0))
        likelihood = np.logaddexp(0.0, np.where(y == 1, -q, q)).sum()
        return float(likelihood + 0.5 * np.sum((theta / PRIOR) ** 2))

    found = minimize(loss, np.zeros(2 if shifted else 1), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
    return Scaling(slope=float(np.exp(found.x[0])), shift=float(found.x[1]) if shifted else 0.0)


class ConformalSets(StrictModel):
    """Class-conditional (Mondrian) conformal sets: of each answer's rows, at most `alpha` have it outside their set.

    Vovk et al. 2005; the nonconformity of answer c is 1 - p(c). `no` and `yes` are the calibration rows' scores.
    """

    alpha: float
    no: list[float]
    yes: list[float]

    @classmethod
    def fit(cls, p: Array, y: NDArray[Any], alpha: float) -> Self:
        """Learn from calibrated probabilities p, shape (rows,), of rows with answers y."""
        return cls(alpha=alpha, no=sorted(p[y == 0].tolist()), yes=sorted((1 - p[y == 1]).tolist()))

    def p_values(self, p: Array) -> Array:
        """Conformal p-values of (no, yes), shape (rows, 2): the share of that answer's rows that were as strange, the
        row itself among them."""
        return np.stack(
            [_share_at_least_as_nonconforming(self.no, p), _share_at_least_as_nonconforming(self.yes, 1 - p)], axis=1
        )

    def sets(self, p: Array) -> Bools:
        """Which of (no, yes) each row's set holds, shape (rows, 2)."""
        return self.p_values(p) > self.alpha


def _share_at_least_as_nonconforming(known: list[float], scores: Array) -> Array:
    """`known` is sorted."""
    return (len(known) - np.searchsorted(known, scores, side="left") + 1) / (len(known) + 1)
