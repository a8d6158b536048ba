"""Selective prediction: risk, coverage and accuracy if the least certain rows go to human review."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from credence.statistics.curves import downsample
from credence.statistics.uncertainty import Array

Statistic = Callable[[NDArray[np.integer]], dict[str, Array]]
RISKS = (0.01, 0.05)
COVERAGES = (0.8, 0.9)
BUDGETS = (0.05, 0.1, 0.2)


def risk_coverage(doubt: Array, wrong: NDArray[np.bool_], w: NDArray[np.integer]) -> tuple[Array, Array]:
    """Count rows and errors cumulatively, from the most to the least certain row.

    Args:
        doubt: Uncertainty of every row, shape (rows,).
        wrong: Whether the prediction is wrong, shape (rows,).
        w: Row weights, shape (resamples, rows).

    Returns:
        Cumulative weighted rows and errors, each of shape (resamples, distinct doubts + 1), starting at 0.
    """
    order = np.argsort(doubt, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(doubt[order]) > 0])
    weight = w[:, order].astype(float)
    rows = np.add.reduceat(weight, starts, axis=1).cumsum(1)
    errors = np.add.reduceat(weight * wrong[order], starts, axis=1).cumsum(1)
    start = np.zeros((len(w), 1))
    return np.hstack([start, rows]), np.hstack([start, errors])


def selective_measures(doubt: Array, wrong: NDArray[np.bool_]) -> Statistic:
    """Build the statistic of all selective measures: error AUROC and AUPRC, AURC, E-AURC, AUGRC, coverage, risk.

    Args:
        doubt: Uncertainty of every row, shape (rows,).
        wrong: Whether the prediction is wrong, shape (rows,).

    Returns:
        A function from row weights, shape (resamples, rows), to values of shape (resamples,) by name.
    """

    def measures(w: NDArray[np.integer]) -> dict[str, Array]:
        rows, errors = risk_coverage(doubt, wrong, w)
        n, curve = rows[:, -1], aurc(rows, errors)
        found = {
            "misclassification_auroc": error_auroc(rows, errors),
            "misclassification_auprc": error_auprc(rows, errors),
            "aurc": curve,
            "e_aurc": curve - best_aurc(n, errors[:, -1]),
            "augrc": augrc(rows, errors),
        }
        found |= {f"coverage_at_risk_{r:.0%}".rstrip("%"): coverage_at(rows, errors, r) for r in RISKS}
        found |= {
            f"risk_at_coverage_{c:.0%}".rstrip("%"): errors_at_coverage(rows, errors, c) / (c * n) for c in COVERAGES
        }
        return found | {
            f"accuracy_at_review_{b:.0%}".rstrip("%"): 1 - errors_at_coverage(rows, errors, 1 - b) / n for b in BUDGETS
        }

    return measures


def aurc(rows: Array, errors: Array) -> Array:
    """Return the area under the risk-coverage curve (Geifman and El-Yaniv 2017), shape (resamples,).

    It is the mean over i of the error rate among the i most certain rows. Ties count with the mean over all their
    orders, computed exactly with harmonic numbers. Arguments are those that `risk_coverage` returns.
    """
    before, size, rate = rows[:, :-1], np.diff(rows), _rates(rows, errors)
    harmonic = _harmonic(rows)
    steps = np.diff(harmonic[rows.astype(int)])
    return np.asarray((rate * size + (errors[:, :-1] - rate * before) * steps).sum(1) / rows[:, -1])


def best_aurc(n: Array, errors: Array) -> Array:
    """Return the lowest possible AURC, with all errors ranked last; E-AURC subtracts it (Geifman et al. 2019).

    Args:
        n: Number of rows, shape (resamples,).
        errors: Number of errors, shape (resamples,).
    """
    harmonic, right = _harmonic(n), n - errors
    return np.asarray((errors - right * (harmonic[n.astype(int)] - harmonic[right.astype(int)])) / n)


def augrc(rows: Array, errors: Array) -> Array:
    """Return the area under the generalized risk-coverage curve (Traub et al. 2024), shape (resamples,).

    Its risk is the share of all rows that are answered wrongly. Arguments are those that `risk_coverage` returns.
    """
    return np.asarray((np.diff(rows) * (errors[:, 1:] + errors[:, :-1]) / 2).sum(1) / rows[:, -1] ** 2)


def error_auroc(rows: Array, errors: Array) -> Array:
    """Return the probability that an error is less certain than a right answer; NaN without errors or right answers."""
    right = rows - errors
    pairs = (np.diff(errors) * (right[:, 1:] + right[:, :-1]) / 2).sum(1)
    return _ratio(pairs, errors[:, -1] * right[:, -1])


def error_auprc(rows: Array, errors: Array) -> Array:
    """Return the average precision of detecting errors by uncertainty; NaN without errors."""
    found, seen = errors[:, -1:] - errors[:, :-1], rows[:, -1:] - rows[:, :-1]
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    return _ratio((np.diff(errors) * precision).sum(1), errors[:, -1])


def coverage_at(rows: Array, errors: Array, risk: float) -> Array:
    """Return the largest share of rows that can be answered with an error rate of at most `risk`."""
    return np.asarray((rows * (errors <= risk * rows + 1e-9)).max(1) / rows[:, -1])


def errors_at_coverage(rows: Array, errors: Array, coverage: float) -> Array:
    """Return the number of errors among the most certain share `coverage` of the rows, interpolated linearly."""
    return np.array([np.interp(coverage * r[-1], r, e) for r, e in zip(rows, errors, strict=True)])


def risk_curve(doubt: Array, wrong: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return coverage and error rate for a plot, at most 200 points each.

    Args:
        doubt: Uncertainty of every row, shape (rows,).
        wrong: Whether the prediction is wrong, shape (rows,).
    """
    rows, errors = risk_coverage(doubt, wrong, np.ones((1, len(doubt)), dtype=np.int64))
    coverage, risk = downsample(rows[0, 1:] / len(doubt), errors[0, 1:] / rows[0, 1:])
    return coverage, risk


def _rates(rows: Array, errors: Array) -> Array:
    size = np.diff(rows)
    return np.asarray(np.divide(np.diff(errors), size, out=np.zeros_like(size), where=size > 0))


def _harmonic(rows: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(rows.max()) + 1))])


def _ratio(over: Array, under: Array) -> Array:
    return np.asarray(np.divide(over, under, out=np.full_like(under, np.nan), where=under > 0))
