"""Thirteen metrics of yes/no predictions, vectorized over weighted resamples, with percentile intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from credence.core.registry import StrictModel
from credence.statistics.uncertainty import Array, log_loss_per_row

Bools = NDArray[np.bool_]
Kernel = Callable[[Array, Bools, Bools, Array], Array]
MetricName = Literal[
    "accuracy",
    "balanced_accuracy",
    "f1",
    "macro_f1",
    "recall",
    "specificity",
    "precision",
    "npv",
    "auroc",
    "auprc",
    "log_loss",
    "brier",
    "ece",
]
BINS = 15
CHUNK_CELLS = 4_000_000


class Predictions(Protocol):
    """Predictions for some rows: calibrated probabilities of yes, and the predicted labels, both of shape (rows,)."""

    @property
    def p(self) -> Array:
        """Calibrated probabilities of yes, shape (rows,)."""

    @property
    def yes(self) -> Bools:
        """Whether the predicted label is yes, shape (rows,)."""


class Estimate(StrictModel):
    """A value with its 95 % interval; NaN if the rows do not define it, such as recall without any yes.

    `undefined` counts the resamples that do not define it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
    value: float
    low: float
    high: float
    undefined: int = 0

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Metric:
    """One metric.

    `reads` says whether it depends on the predicted labels or on the probabilities; `widest` bounds the difference
    of two values.
    """

    title: str
    reads: Literal["labels", "probabilities"]
    kernel: Kernel
    higher_is_better: bool = True
    widest: float = 1.0

    def of(self, p: Array, yes: NDArray[Any], y: NDArray[Any], w: NDArray[Any] | None = None) -> Any:
        """Compute the metric.

        Args:
            p: Probabilities of yes, shape (rows,).
            yes: Predicted labels, shape (rows,).
            y: True labels, shape (rows,).
            w: Row weights, shape (resamples, rows).

        Returns:
            A float, or with weights an array of shape (resamples,); NaN if it is undefined.
        """
        p, yes, y = np.asarray(p, float), np.asarray(yes, bool), np.asarray(y, bool)
        if w is None:
            return float(self._defined(p, yes, y, np.ones((1, len(y))))[0])
        step = max(1, CHUNK_CELLS // max(len(y), 1))
        return np.concatenate([self._defined(p, yes, y, w[i : i + step]) for i in range(0, len(w), step)])

    def _defined(self, p: Array, yes: Bools, y: Bools, w: NDArray[Any]) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.kernel(p, yes, y, w.astype(np.float64))


def score(name: str, p: Array, yes: NDArray[Any], y: NDArray[Any]) -> float:
    """Compute a metric of `METRICS` on all rows; arguments as in `Metric.of`."""
    return float(METRICS[name].of(p, yes, y))


def estimate(name: str, p: Array, yes: NDArray[Any], y: NDArray[Any], w: NDArray[Any]) -> Estimate:
    """Compute a metric with its 95 % percentile interval over the resamples that define it.

    Args:
        name: A key of `METRICS`.
        p: Probabilities of yes, shape (rows,).
        yes: Predicted labels, shape (rows,).
        y: True labels, shape (rows,).
        w: Bootstrap weights, shape (resamples, rows).
    """
    samples = METRICS[name].of(p, yes, y, w)
    defined = samples[~np.isnan(samples)]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
    return Estimate(value=score(name, p, yes, y), low=low, high=high, undefined=len(samples) - len(defined))


def difference(
    name: str, ours: Predictions, theirs: Predictions, y: NDArray[Any], w: NDArray[Any]
) -> tuple[float, Array]:
    """Compute by how much `ours` is better than `theirs` on the same rows; positive is better for every metric.

    Args:
        name: A key of `METRICS`.
        ours: Predictions of one side.
        theirs: Predictions of the other side, for the same rows.
        y: True labels, shape (rows,).
        w: Row weights, shape (resamples, rows).

    Returns:
        The difference on all rows, and per resample, shape (resamples,).
    """
    metric = METRICS[name]
    sign = 1 if metric.higher_is_better else -1
    value = score(name, ours.p, ours.yes, y) - score(name, theirs.p, theirs.yes, y)
    return sign * value, sign * (metric.of(ours.p, ours.yes, y, w) - metric.of(theirs.p, theirs.yes, y, w))


def format_metric_difference(name: str, amount: float, sign: bool = False) -> str:
    """Format a difference of a metric: in points (hundredths), in nats for the log-loss, or plain for other losses."""
    digits = "+" if sign else ""
    if METRICS[name].higher_is_better:
        return f"{100 * amount:{digits}.1f} points"
    return f"{amount:{digits}.3f} nats" if name == "log_loss" else f"{amount:{digits}.3f}"


def _counted(formula: Callable[[Array, Array, Array, Array], Array]) -> Kernel:
    """Build a kernel from a formula of true positives, false positives, false negatives and true negatives."""

    def kernel(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
        cells = np.stack([yes & y, yes & ~y, ~yes & y, ~yes & ~y], axis=1).astype(np.float64)
        return formula(*(w @ cells).T)

    return kernel


def _mean(loss: Callable[[Array, Bools], Array]) -> Kernel:
    """Build a kernel that averages a loss per row."""

    def kernel(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
        return np.asarray(w @ loss(p, y) / w.sum(1))

    return kernel


def _auroc(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
    """Probability that a random yes is ranked above a random no; ties count half (Mann & Whitney 1947)."""
    order = np.argsort(p[~y])
    no, below = p[~y][order], _cumulated(w[:, ~y][:, order])
    left, right, wy = np.searchsorted(no, p[y], "left"), np.searchsorted(no, p[y], "right"), w[:, y]
    pairs = np.einsum("rp,rp->r", wy, below[:, left]) + np.einsum("rp,rp->r", wy, below[:, right])
    return np.asarray(pairs / (2 * wy.sum(1) * below[:, -1]))


def _auprc(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
    """Average precision: the mean precision at the probability of every yes, without interpolation."""
    ranks, sides = -p[y], [np.argsort(-p[y]), np.argsort(-p[~y])]
    tp = _cumulated(w[:, y][:, sides[0]])[:, np.searchsorted(ranks[sides[0]], ranks, "right")]
    fp = _cumulated(w[:, ~y][:, sides[1]])[:, np.searchsorted(-p[~y][sides[1]], ranks, "right")]
    precision = tp / np.maximum(tp + fp, np.finfo(float).tiny)
    return np.asarray(np.einsum("rp,rp->r", w[:, y], precision) / w[:, y].sum(1))


def _cumulated(w: Array) -> Array:
    """Cumulative sums along the rows, starting from 0, shape (resamples, rows + 1)."""
    return np.concatenate([np.zeros((len(w), 1)), np.cumsum(w, axis=1)], axis=1)


def _ece(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
    """Expected calibration error over 15 equal-width bins of p (Naeini et al. 2015)."""
    return np.asarray(np.abs(w @ (bins(p) * (p - y)[:, None])).sum(1) / w.sum(1))


def equal_width(p: Array, bins: int = BINS) -> NDArray[np.int64]:
    """Return the number of every probability's bin among equal-width bins of [0, 1], shape (rows,)."""
    return np.minimum((p * bins).astype(np.int64), bins - 1)


def bins(p: Array) -> Bools:
    """Return whether each probability lies in each of 15 equal-width bins, shape (rows, 15)."""
    return np.asarray(equal_width(p)[:, None] == np.arange(BINS))


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", "labels", _counted(lambda tp, fp, fn, tn: (tp + tn) / (tp + fp + fn + tn))),
    "balanced_accuracy": Metric(
        "balanced accuracy", "labels", _counted(lambda tp, fp, fn, tn: (tp / (tp + fn) + tn / (tn + fp)) / 2)
    ),
    "f1": Metric("F1", "labels", _counted(lambda tp, fp, fn, tn: 2 * tp / (2 * tp + fp + fn))),
    "macro_f1": Metric(
        "macro F1",
        "labels",
        _counted(lambda tp, fp, fn, tn: tp / (2 * tp + fp + fn) + tn / (2 * tn + fp + fn)),
    ),
    "recall": Metric("recall (sensitivity)", "labels", _counted(lambda tp, fp, fn, tn: tp / (tp + fn))),
    "specificity": Metric("specificity", "labels", _counted(lambda tp, fp, fn, tn: tn / (tn + fp))),
    "precision": Metric("precision (PPV)", "labels", _counted(lambda tp, fp, fn, tn: tp / (tp + fp))),
    "npv": Metric("negative predictive value", "labels", _counted(lambda tp, fp, fn, tn: tn / (tn + fn))),
    "auroc": Metric("AUROC", "probabilities", _auroc),
    "auprc": Metric("AUPRC", "probabilities", _auprc),
    "log_loss": Metric("log-loss", "probabilities", _mean(log_loss_per_row), higher_is_better=False, widest=16.2),
    "brier": Metric("Brier score", "probabilities", _mean(lambda p, y: (p - y) ** 2), higher_is_better=False),
    "ece": Metric("calibration error (ECE)", "probabilities", _ece, higher_is_better=False),
}
