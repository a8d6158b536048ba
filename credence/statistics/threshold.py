"""From which probability the answer is yes: by what a miss costs, or by the metric that the gate judges."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from credence.statistics.uncertainty import Array

NEUTRAL_THRESHOLD = 0.5
METRIC_RATES = ("recall", "precision", "specificity")


def choose_threshold(p: Array, y: NDArray[Any], metric: str, minimum: float, cost_ratio: float | None) -> float:
    """The threshold, chosen on calibration rows with calibrated probabilities p and answers y.

    cost_ratio r (a missed yes costs r false alarms): 1 / (1 + r), the Bayes rule for calibrated p (Elkan 2001).
    recall, precision and specificity: the threshold nearest to 0.5 that reaches `minimum`.
    f1 and balanced_accuracy: where they are highest. Other metrics do not depend on a threshold, or are best at 0.5.
    """
    if cost_ratio is not None:
        return 1 / (1 + cost_ratio)
    if metric not in (*METRIC_RATES, "f1", "balanced_accuracy"):
        return NEUTRAL_THRESHOLD
    cuts = _between(np.unique(p))
    tp, fp = _counts(p, y, cuts)
    yes, no = int(y.sum()), int((1 - y).sum())
    if metric in METRIC_RATES:
        return _reaching(cuts, _rate(metric, tp, fp, yes, no), minimum)
    score = 2 * tp / np.maximum(tp + fp + yes, 1) if metric == "f1" else tp / yes + (no - fp) / no
    best = cuts[score >= score.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - NEUTRAL_THRESHOLD))])


def threshold_minimum(metric: str, minimum: float | None) -> float:
    """The gate's minimum where the threshold aims at it, otherwise 0, so that other gates leave the threshold alone."""
    return minimum or 0.0 if metric in METRIC_RATES else 0.0


def _between(p: Array) -> Array:
    return np.unique(np.concatenate([[NEUTRAL_THRESHOLD], (p[1:] + p[:-1]) / 2]))


def _counts(p: Array, y: NDArray[Any], cuts: Array) -> tuple[Array, Array]:
    """True and false positives at every cut."""
    above = [len(q) - np.searchsorted(np.sort(q), cuts) for q in (p[y == 1], p[y == 0])]
    return above[0].astype(float), above[1].astype(float)


def _rate(metric: str, tp: Array, fp: Array, yes: int, no: int) -> Array:
    if metric == "recall":
        return tp / yes
    return (no - fp) / no if metric == "specificity" else tp / np.maximum(tp + fp, 1)


def _reaching(cuts: Array, rate: Array, minimum: float) -> float:
    """0.5 where it reaches the minimum, otherwise the nearest cut that does, or else the one that comes closest."""
    enough = cuts[rate >= minimum]
    if not len(enough):
        return float(cuts[int(np.argmax(rate))])
    return float(enough[np.argmin(np.abs(enough - NEUTRAL_THRESHOLD))])
