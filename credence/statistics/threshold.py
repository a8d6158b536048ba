"""Choose the decision threshold by the cost of errors or by the gate's metric."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from credence.statistics.uncertainty import Array

NEUTRAL_THRESHOLD = 0.5
METRIC_RATES = ("recall", "precision", "specificity")


def choose_threshold(p: Array, y: NDArray[Any], metric: str, minimum: float, cost_ratio: float | None) -> float:
    """Choose the probability from which the answer is yes, on the calibration rows.

    - With a cost ratio r: 1 / (1 + r), the Bayes rule for calibrated probabilities (Elkan 2001).
    - recall, precision, specificity: the threshold nearest to 0.5 that reaches `minimum`.
    - f1, balanced_accuracy: the threshold with the highest value.
    - Other metrics: 0.5.

    Args:
        p: Calibrated probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).
        metric: Name of the gate's metric.
        minimum: The value that a rate must reach.
        cost_ratio: Cost of a missed yes in false alarms; None to use the metric.
    """
    if cost_ratio is not None:
        return 1 / (1 + cost_ratio)
    if metric not in (*METRIC_RATES, "f1", "balanced_accuracy"):
        return NEUTRAL_THRESHOLD
    cuts = _midpoints(np.unique(p))
    tp, fp = _counts(p, y, cuts)
    yes, no = int(y.sum()), int((1 - y).sum())
    if metric in METRIC_RATES:
        return _cut_reaching(cuts, _rate(metric, tp, fp, yes, no), minimum)
    score = 2 * tp / np.maximum(tp + fp + yes, 1) if metric == "f1" else tp / yes + (no - fp) / no
    best = cuts[score >= score.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - NEUTRAL_THRESHOLD))])


def threshold_minimum(metric: str, minimum: float | None) -> float:
    """Return the gate's minimum if the threshold depends on it (recall, precision, specificity), otherwise 0."""
    return minimum or 0.0 if metric in METRIC_RATES else 0.0


def _midpoints(p: Array) -> Array:
    return np.unique(np.concatenate([[NEUTRAL_THRESHOLD], (p[1:] + p[:-1]) / 2]))


def _counts(p: Array, y: NDArray[Any], cuts: Array) -> tuple[Array, Array]:
    """Count true and false positives at every cut."""
    above = [len(q) - np.searchsorted(np.sort(q), cuts) for q in (p[y == 1], p[y == 0])]
    return above[0].astype(float), above[1].astype(float)


def _rate(metric: str, tp: Array, fp: Array, yes: int, no: int) -> Array:
    if metric == "recall":
        return tp / yes
    return (no - fp) / no if metric == "specificity" else tp / np.maximum(tp + fp, 1)


def _cut_reaching(cuts: Array, rate: Array, minimum: float) -> float:
    """Return the cut nearest to 0.5 whose rate reaches the minimum, or the one with the highest rate."""
    enough = cuts[rate >= minimum]
    if not len(enough):
        return float(cuts[int(np.argmax(rate))])
    return float(enough[np.argmin(np.abs(enough - NEUTRAL_THRESHOLD))])
