"""Calibration errors, Brier decomposition, Cox recalibration and the reliability table with its chance level."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.statistics.curves import ScoredLabels
from credence.statistics.metrics import BINS, equal_width
from credence.statistics.selective_prediction import Statistic
from credence.statistics.uncertainty import Array, logit, sigmoid

NEWTON_STEPS = 50
SIMULATED_CELLS = 4_000_000  # 16 MB of random numbers at a time


def equal_mass(p: Array, bins: int = BINS) -> NDArray[np.int64]:
    """Return every probability's bin, with edges at the quantiles, shape (rows,); equal probabilities share a bin."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, p, side="right")


def sums(p: Array, y: ScoredLabels, bin_of: NDArray[np.int64], w: NDArray[Any]) -> tuple[Array, Array, Array]:
    """Sum rows, probabilities and labels per bin.

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).
        bin_of: Bin of every row, shape (rows,).
        w: Row weights, shape (resamples, rows).

    Returns:
        Weighted sums of 1, p and y, each of shape (resamples, bins).
    """
    member = np.eye(int(bin_of.max()) + 1)[bin_of]
    total = w.astype(float) @ np.hstack([member, member * p[:, None], member * y[:, None]])
    rows, predicted, observed = np.split(total, 3, axis=1)
    return rows, predicted, observed


def calibration_error(p: Array, y: ScoredLabels) -> Statistic:
    """Build the statistic of ECE (15 bins of equal width, of equal mass), debiased calibration error and MCE.

    The debiased error is the root of the mean squared gap minus its binning noise (Kumar et al. 2019).

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).

    Returns:
        A function from row weights, shape (resamples, rows), to values of shape (resamples,) by name.
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
    """Build the statistic that decomposes the Brier score over 15 equal-mass bins (Murphy 1973).

    Brier = reliability - resolution + uncertainty + within; the last is the variation within bins.

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).

    Returns:
        A function from row weights, shape (resamples, rows), to values of shape (resamples,) by name.
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
    """Build the statistic of slope and intercept of y on the log-odds (Cox 1958); 1 and 0 are ideal.

    Resamples take one Newton step from the fit to all rows. NaN if a threshold separates the classes.

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).

    Returns:
        A function from row weights, shape (resamples, rows), to values of shape (resamples,) by name.
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
    """Fit y on (1, z) by Newton's method; None if the maximum is at infinity or z is constant."""
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
    """One bin of the reliability table.

    It spans [low, high) and has `rows` rows with mean probability `predicted` and share of yes `observed`. If the
    probabilities are right, that share is between `chance_low` and `chance_high` with probability 95 %.
    """

    low: float
    high: float
    rows: int
    predicted: float
    observed: float
    chance_low: float
    chance_high: float


class ChanceLevel(StrictModel):
    """The ECE of a perfectly calibrated predictor on these rows: mean and 95 % quantile."""

    mean: float
    high: float


def simulate(p: Array, bin_of: NDArray[np.int64], times: int = 1000, seed: int = 0) -> tuple[Array, Array]:
    """Simulate labels from p and count them per bin.

    Args:
        p: Probabilities of yes, shape (rows,).
        bin_of: Bin of every row, shape (rows,).
        times: Number of simulations.
        seed: Seed of the random generator.

    Returns:
        Rows per bin, shape (bins,), and simulated yes per bin, shape (times, bins).
    """
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
    """Build the reliability table over 15 equal-width bins, with consistency bars (Bröcker and Smith 2007).

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).
        seed: Seed of the simulation.

    Returns:
        The bins that are not empty, and the ECE due to binning noise alone.
    """
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
