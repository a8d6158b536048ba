"""How good answers are: thirteen metrics, each over thousands of weighted resamples at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from credence.core.registry import StrictModel
from credence.statistics.uncertainty import Array, logit

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
    """What was answered about some rows: calibrated probabilities of yes, and the labels given."""

    @property
    def p(self) -> Array: ...
    @property
    def yes(self) -> Bools: ...


class Estimate(StrictModel):
    """A figure with an interval. NaN where the rows do not define it, such as recall without a single yes."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
    value: float
    low: float
    high: float
    undefined: int = 0

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Metric:
    """One figure of merit. `reads` says whether it looks at the labels given or at the probabilities behind them."""

    title: str
    reads: Literal["labels", "probabilities"]
    kernel: Kernel
    higher_is_better: bool = True
    widest: float = 1.0

    def of(self, p: Array, yes: NDArray[Any], y: NDArray[Any], w: NDArray[Any] | None = None) -> Any:
        """The metric: a float, or with weights w (resamples, rows) an array (resamples,); NaN where it is undefined."""
        p, yes, y = np.asarray(p, float), np.asarray(yes, bool), np.asarray(y, bool)
        if w is None:
            return float(self._defined(p, yes, y, np.ones((1, len(y))))[0])
        step = max(1, CHUNK_CELLS // max(len(y), 1))
        return np.concatenate([self._defined(p, yes, y, w[i : i + step]) for i in range(0, len(w), step)])

    def _defined(self, p: Array, yes: Bools, y: Bools, w: NDArray[Any]) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.kernel(p, yes, y, w.astype(np.float64))


def score(name: str, p: Array, yes: NDArray[Any], y: NDArray[Any]) -> float:
    """The metric on all rows."""
    return float(METRICS[name].of(p, yes, y))


def estimate(name: str, p: Array, yes: NDArray[Any], y: NDArray[Any], w: NDArray[Any]) -> Estimate:
    """The metric with the 95 % percentile interval over resamples; those that leave it undefined are counted."""
    samples = METRICS[name].of(p, yes, y, w)
    defined = samples[~np.isnan(samples)]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
    return Estimate(value=score(name, p, yes, y), low=low, high=high, undefined=len(samples) - len(defined))


def difference(
    name: str, ours: Predictions, theirs: Predictions, y: NDArray[Any], w: NDArray[Any]
) -> tuple[float, Array]:
    """By how much ours is better, also where less is better: on all rows, and per resample of rows that both see."""
    metric = METRICS[name]
    sign = 1 if metric.higher_is_better else -1
    value = score(name, ours.p, ours.yes, y) - score(name, theirs.p, theirs.yes, y)
    return sign * value, sign * (metric.of(ours.p, ours.yes, y, w) - metric.of(theirs.p, theirs.yes, y, w))


def format_metric_difference(name: str, amount: float, sign: bool = False) -> str:
    """A difference of the metric as people say it: in points (hundredths), or in nats, or plain."""
    digits = "+" if sign else ""
    if METRICS[name].higher_is_better:
        return f"{100 * amount:{digits}.1f} points"
    return f"{amount:{digits}.3f} nats" if name == "log_loss" else f"{amount:{digits}.3f}"


def _counted(formula: Callable[[Array, Array, Array, Array], Array]) -> Kernel:
    """A kernel from a formula of true positives, false positives, false negatives and true negatives."""

    def kernel(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
        cells = np.stack([yes & y, yes & ~y, ~yes & y, ~yes & ~y], axis=1).astype(np.float64)
        return formula(*(w @ cells).T)

    return kernel


def _mean(loss: Callable[[Array, Bools], Array]) -> Kernel:
    """A kernel that averages a loss per row."""

    def kernel(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
        return np.asarray(w @ loss(p, y) / w.sum(1))

    return kernel


def _auroc(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
    """The chance that a yes gets a higher probability than a no; ties count half (Mann & Whitney 1947)."""
    order = np.argsort(p[~y])
    no, below = p[~y][order], _cumulated(w[:, ~y][:, order])
    left, right, wy = np.searchsorted(no, p[y], "left"), np.searchsorted(no, p[y], "right"), w[:, y]
    pairs = np.einsum("rp,rp->r", wy, below[:, left]) + np.einsum("rp,rp->r", wy, below[:, right])
    return np.asarray(pairs / (2 * wy.sum(1) * below[:, -1]))


def _auprc(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
    """Average precision: the mean over every yes of the precision at its probability (no interpolation)."""
    ranks, sides = -p[y], [np.argsort(-p[y]), np.argsort(-p[~y])]
    tp = _cumulated(w[:, y][:, sides[0]])[:, np.searchsorted(ranks[sides[0]], ranks, "right")]
    fp = _cumulated(w[:, ~y][:, sides[1]])[:, np.searchsorted(-p[~y][sides[1]], ranks, "right")]
    precision = tp / np.maximum(tp + fp, np.finfo(float).tiny)
    return np.asarray(np.einsum("rp,rp->r", w[:, y], precision) / w[:, y].sum(1))


def _cumulated(w: Array) -> Array:
    """Running sums along the rows, starting from 0: shape (resamples, rows + 1)."""
    return np.concatenate([np.zeros((len(w), 1)), np.cumsum(w, axis=1)], axis=1)


def _ece(p: Array, yes: Bools, y: Bools, w: Array) -> Array:
    """Expected calibration error over 15 equal bins of p (Naeini et al. 2015)."""
    return np.asarray(np.abs(w @ (bins(p) * (p - y)[:, None])).sum(1) / w.sum(1))


def bins(p: Array) -> Bools:
    """Which of 15 equal bins of [0, 1] each probability lies in, shape (rows, 15)."""
    return np.asarray(np.minimum((p * BINS).astype(int), BINS - 1)[:, None] == np.arange(BINS))


def _nats(p: Array, y: Bools) -> Array:
    z = logit(p)
    return np.logaddexp(0.0, np.where(y, -z, z))


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
    "log_loss": Metric("log-loss", "probabilities", _mean(_nats), higher_is_better=False, widest=16.2),
    "brier": Metric("Brier score", "probabilities", _mean(lambda p, y: (p - y) ** 2), higher_is_better=False),
    "ece": Metric("calibration error (ECE)", "probabilities", _ece, higher_is_better=False),
}
