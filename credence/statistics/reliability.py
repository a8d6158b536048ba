"""How far probabilities are from meaning what they say, and how far chance alone would put them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.statistics.curves import ScoredLabels
from credence.statistics.selective_prediction import Statistic
from credence.statistics.uncertainty import Array, logit, sigmoid

BINS = 15
NEWTON_STEPS = 50
SIMULATED_CELLS = 4_000_000


def equal_width(p: Array, bins: int = BINS) -> NDArray[np.int64]:
    """The bin of every probability, with edges at equal distances."""
    return np.minimum((p * bins).astype(np.int64), bins - 1)


def equal_mass(p: Array, bins: int = BINS) -> NDArray[np.int64]:
    """The bin of every probability, with edges at its quantiles; equal probabilities share a bin."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, p, side="right")


def sums(p: Array, y: ScoredLabels, bin_of: NDArray[np.int64], w: NDArray[Any]) -> tuple[Array, Array, Array]:
    """Weighted rows, probabilities and yes per bin, each of shape (resamples, bins)."""
    member = np.eye(int(bin_of.max()) + 1)[bin_of]
    total = w.astype(float) @ np.hstack([member, member * p[:, None], member * y[:, None]])
    rows, predicted, observed = np.split(total, 3, axis=1)
    return rows, predicted, observed


def calibration_error(p: Array, y: ScoredLabels) -> Statistic:
    """The statistic of row weights that holds ECE-15 by equal width and equal mass, its debiased form and MCE.

    The debiased error is the root of the mean squared gap less its binning noise (Kumar et al. 2019).
    """
    width, mass = equal_width(p), equal_mass(p)

    def measures(w: NDArray[np.integer]) -> dict[str, Array]:
        rows, predicted, observed = sums(p, y, width, w)
        gap = np.abs(_over(predicted - observed, rows))
        by_mass = sums(p, y, mass, w)
        return {
            "ece": _ece(rows, predicted, observed),
            "ece_equal_mass": _ece(*by_mass),
            "calibration_error_debiased": _debiased(*by_mass),
            "mce": gap.max(1),
        }

    return measures


def brier_decomposition(p: Array, y: ScoredLabels) -> Statistic:
    """The statistic of row weights that splits the Brier score over 15 equal-mass bins (Murphy 1973).

    Brier = reliability - resolution + uncertainty + within, the last being what the bins hide.
    """
    bin_of, squared = equal_mass(p), (p - y) ** 2

    def measures(w: NDArray[np.integer]) -> dict[str, Array]:
        rows, predicted, observed = sums(p, y, bin_of, w)
        n, share = rows.sum(1), observed.sum(1) / rows.sum(1)
        reliability = (rows * _over(predicted - observed, rows) ** 2).sum(1) / n
        resolution = (rows * (_over(observed, rows) - share[:, None]) ** 2).sum(1) / n
        uncertainty = share * (1 - share)
        within = w @ squared / n - (reliability - resolution + uncertainty)
        return {"reliability": reliability, "resolution": resolution, "uncertainty": uncertainty, "within": within}

    return measures


def cox_recalibration(p: Array, y: ScoredLabels) -> Statistic:
    """The statistic of row weights that holds slope and intercept of y on the log-odds (Cox 1958); 1 and 0 are ideal.

    Resamples take one Newton step from the whole data's fit. Undefined (NaN) where a threshold separates the answers.
    """
    z = logit(p)
    theta = _logistic(z, y)
    if theta is None:
        return lambda w: dict.fromkeys(("calibration_slope", "calibration_intercept"), np.full(len(w), np.nan))
    q = sigmoid(theta[0] + theta[1] * z)
    columns = np.column_stack([y - q, (y - q) * z, q * (1 - q), q * (1 - q) * z, q * (1 - q) * z**2])

    def measures(w: NDArray[np.integer]) -> dict[str, Array]:
        r, rz, s, sz, szz = (w.astype(float) @ columns).T
        determinant = s * szz - sz**2
        flat = ~(determinant > 1e-12)
        step = np.where(flat, np.nan, np.stack([szz * r - sz * rz, s * rz - sz * r])) / np.where(flat, 1.0, determinant)
        return {"calibration_slope": theta[1] + step[1], "calibration_intercept": theta[0] + step[0]}

    return measures


def _logistic(z: Array, y: ScoredLabels) -> Array | None:
    """Newton's fit of y on (1, z); None where the maximum lies at infinity or z does not vary."""
    if np.ptp(z) == 0 or z[y == 1].min() >= z[y == 0].max() or z[y == 1].max() <= z[y == 0].min():
        return None
    X, theta = np.column_stack([np.ones_like(z), z]), np.array([0.0, 1.0])
    for _ in range(NEWTON_STEPS):
        mu = sigmoid(X @ theta)
        hessian = (X * (mu * (1 - mu))[:, None]).T @ X
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), X.T @ (y - mu))
        theta = theta + step * min(1.0, 5 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-10:
            break
    return theta


class ReliabilityBin(StrictModel):
    """One bin of the reliability table: what was said, what came true, and what chance allows (95 %)."""

    low: float
    high: float
    rows: int
    predicted: float
    observed: float
    chance_low: float
    chance_high: float


class ChanceLevel(StrictModel):
    """The ECE of a perfectly calibrated predictor on rows like these: its mean, and what 19 of 20 stay below."""

    mean: float
    high: float


def simulate(p: Array, bin_of: NDArray[np.int64], times: int = 1000, seed: int = 0) -> tuple[Array, Array]:
    """Rows per bin (bins,) and yes per bin (times, bins) in worlds where p is the truth; empty bins stay empty."""
    random, order = np.random.default_rng(seed), np.argsort(bin_of, kind="stable")
    rows = np.bincount(bin_of)
    starts = np.r_[0, np.cumsum(rows)[:-1]][rows > 0]
    size = max(1, SIMULATED_CELLS // len(p))
    yes = np.zeros((times, len(rows)))
    for first in range(0, times, size):
        answers = random.random((min(size, times - first), len(p)), dtype=np.float32) < p[order]
        yes[first : first + size, rows > 0] = np.add.reduceat(answers, starts, axis=1, dtype=np.int64)
    return rows.astype(float), yes


def reliability_by_chance(p: Array, y: ScoredLabels, seed: int = 0) -> tuple[list[ReliabilityBin], ChanceLevel]:
    """The reliability table over 15 equal-width bins, and the ECE that binning noise gives (Bröcker and Smith 2007)."""
    bin_of = equal_width(p)
    rows, yes = simulate(p, bin_of, seed=seed)
    _, predicted, observed = (s[0] for s in sums(p, y, bin_of, np.ones((1, len(p)))))
    ece = np.abs(predicted - yes).sum(1) / len(p)
    low, high = np.quantile(yes, [0.025, 0.975], axis=0)
    table = [
        ReliabilityBin(
            low=b / BINS,
            high=(b + 1) / BINS,
            rows=int(n),
            predicted=predicted[b] / n,
            observed=observed[b] / n,
            chance_low=low[b] / n,
            chance_high=high[b] / n,
        )
        for b, n in enumerate(rows)
        if n > 0
    ]
    return table, ChanceLevel(mean=float(ece.mean()), high=float(np.quantile(ece, 0.95)))


def _over(total: Array, rows: Array) -> Array:
    return np.asarray(np.divide(total, rows, out=np.zeros_like(total), where=rows > 0))


def _ece(rows: Array, predicted: Array, observed: Array) -> Array:
    return np.asarray(np.abs(predicted - observed).sum(1) / rows.sum(1))


def _debiased(rows: Array, predicted: Array, observed: Array) -> Array:
    share = _over(observed, rows)
    noise = np.divide(share * (1 - share), rows - 1, out=np.zeros_like(rows), where=rows > 1)
    squared = (rows * (_over(predicted - observed, rows) ** 2 - noise)).sum(1) / rows.sum(1)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))
