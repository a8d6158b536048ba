"""Curves for plots: ROC, precision-recall, net benefit, histogram."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from credence.statistics.uncertainty import Array

ScoredLabels = NDArray[Any]
MAX_POINTS = 200
HISTOGRAM_BINS = 25


def downsample(*curves: Array, points: int = MAX_POINTS) -> list[Array]:
    """Keep at most `points` evenly spaced points of curves of equal length, always with both ends."""
    places = np.unique(np.linspace(0, len(curves[0]) - 1, points).round().astype(int))
    return [c[places] for c in curves]


def confusion_at_thresholds(p: Array, y: ScoredLabels) -> tuple[Array, Array, Array]:
    """Return the distinct thresholds in descending order, with the counts of true and false positives at each.

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).
    """
    order = np.argsort(-p, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(p[order]) != 0, True])
    tp = np.cumsum(y[order] == 1)[last].astype(float)
    return p[order][last], tp, last + 1 - tp


def roc(p: Array, y: ScoredLabels) -> tuple[Array, Array]:
    """Return false and true positive rates from (0, 0) to (1, 1), without points on straight segments.

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).
    """
    _, tp, fp = confusion_at_thresholds(p, y)
    tp, fp = np.r_[0.0, tp], np.r_[0.0, fp]
    bends = np.r_[True, (np.diff(tp, 2) != 0) | (np.diff(fp, 2) != 0), True] if len(tp) > 2 else np.full(len(tp), True)
    return fp[bends] / max(fp[-1], 1), tp[bends] / max(tp[-1], 1)


def precision_recall(p: Array, y: ScoredLabels) -> tuple[Array, Array]:
    """Return recall, ascending from 0 to 1, and precision; the first point repeats the highest threshold's precision.

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).
    """
    _, tp, fp = confusion_at_thresholds(p, y)
    precision, recall = tp / (tp + fp), tp / max(tp[-1], 1)
    return np.r_[0.0, recall], np.r_[precision[0], precision]


def net_benefit(p: Array, y: ScoredLabels, thresholds: Array) -> tuple[Array, Array]:
    """Return the net benefit per row of acting above each threshold, and of acting always (Vickers and Elkin 2006).

    Net benefit = true positives - false positives * threshold / (1 - threshold), per row; never acting has 0.

    Args:
        p: Probabilities of yes, shape (rows,).
        y: Labels 0 or 1, shape (rows,).
        thresholds: Thresholds in [0, 1), shape (thresholds,).

    Returns:
        Two arrays of shape (thresholds,).
    """
    odds, share = thresholds / (1 - thresholds), float(np.mean(y))
    above = p[None, :] >= thresholds[:, None]
    gain = (above & (y == 1)).mean(1) - (above & (y != 1)).mean(1) * odds
    return gain, share - (1 - share) * odds


def histogram(p: Array, y: ScoredLabels, bins: int = HISTOGRAM_BINS) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the rows of each class (no, yes) by probability, in `bins` equal-width bins of [0, 1]."""
    no, yes = (np.histogram(p[y == c], bins=bins, range=(0, 1))[0] for c in (0, 1))
    return no, yes
