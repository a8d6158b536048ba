"""A statistic with its 95 % interval, from bootstrap resamples that all figures of a report share."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.reporting.number_format import format_interval, format_spread
from credence.statistics.calibration import Bools
from credence.statistics.metrics import METRICS, estimate
from credence.statistics.selective_prediction import Statistic
from credence.statistics.uncertainty import Array

CHUNK_CELLS = 4_000_000
LEVEL = 0.95


class Measure(StrictModel):
    """A number, its 95 % interval and the number of rows behind it; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int

    def text(self) -> str:
        """Value and interval, such as 0.981 (0.950–0.996)."""
        return format_spread(self.value, self.low, self.high)

    def interval(self) -> str:
        """The interval alone, such as 0.950 to 0.996."""
        return format_interval(self.value, self.low, self.high)


def score_with_interval(name: str, p: Array, yes: NDArray[Any], y: NDArray[Any], w: NDArray[Any]) -> Measure:
    """One of `METRICS` over all rows, with its interval; the interval of the calibration error is centred.

    Args:
        name: Name of the metric.
        p: Probabilities of yes, shape (rows,).
        yes: Labels given, shape (rows,).
        y: True labels 0 and 1, shape (rows,).
        w: Bootstrap weights, shape (resamples, rows).
    """
    if name == "ece":
        return measure_with_intervals(lambda chunk: {name: METRICS[name].of(p, yes, y, chunk)}, w, centred=True)[name]
    found = estimate(name, p, yes, y, w)
    return Measure(
        value=finite_or_none(found.value), low=finite_or_none(found.low), high=finite_or_none(found.high), n=len(y)
    )


def measure_with_intervals(statistic: Statistic, w: NDArray[Any], centred: bool = False) -> dict[str, Measure]:
    """Every value of the statistic over all rows, with its interval over the resamples.

    Args:
        statistic: Maps weights (resamples, rows) to values (resamples,) by name.
        w: Bootstrap weights, shape (resamples, rows).
        centred: For errors that resampling inflates, such as calibration errors. The resamples are shifted so that
            their mean is the value, and are cut at 0 if the value is not negative.
    """
    whole = statistic(np.ones((1, w.shape[1]), dtype=np.int64))
    size = max(1, CHUNK_CELLS // w.shape[1])
    parts = [statistic(w[first : first + size]) for first in range(0, len(w), size)]
    samples = {name: np.concatenate([part[name] for part in parts]) for name in whole}
    return {name: _measure(float(whole[name][0]), samples[name], w.shape[1], centred) for name in whole}


def _measure(value: float, samples: Array, n: int, centred: bool) -> Measure:
    known = samples[np.isfinite(samples)]
    if not len(known) or not np.isfinite(value):
        return Measure(value=finite_or_none(value), n=n)
    if centred:
        known = np.maximum(known + value - known.mean(), 0 if value >= 0 else -np.inf)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Measure(value=value, low=min(float(low), value), high=max(float(high), value), n=n)


def finite_or_none(x: float | None) -> float | None:
    """The number, or None if it is missing, infinite or NaN."""
    return float(x) if x is not None and np.isfinite(x) else None


MIN_GROUP_ROWS = 30


class Group(StrictModel):
    """Measures of one group; `few` marks groups with too few rows, or only one label, to be ranked."""

    name: str
    rows: int
    yes: int
    few: bool
    scores: dict[str, Measure]


def measure_by_group(
    groups: pd.Series, names: list[str], p: Array, yes: Bools, y: NDArray[Any], w: NDArray[Any]
) -> list[Group]:
    """The named metrics in every group, the largest group first; empty if there is only one group.

    Args:
        groups: Group of each row.
        names: Names of the metrics.
        p: Probabilities of yes, shape (rows,).
        yes: Labels given, shape (rows,).
        y: True labels 0 and 1, shape (rows,).
        w: Bootstrap weights, shape (resamples, rows).
    """
    if groups.nunique() < 2:
        return []
    return [_group(g, groups.to_numpy() == g, names, p, yes, y, w) for g in groups.value_counts().index]


def _group(name: str, here: Bools, names: list[str], p: Array, yes: Bools, y: NDArray[Any], w: NDArray[Any]) -> Group:
    n, of_yes = int(here.sum()), int(y[here].sum())
    scores = {m: score_with_interval(m, p[here], yes[here], y[here], w[:, here]) for m in names}
    return Group(name=name, rows=n, yes=of_yes, few=n < MIN_GROUP_ROWS or of_yes in (0, n), scores=scores)


TITLES = {
    "ece": "calibration error, 15 equal bins (ECE)",
    "ece_equal_mass": "calibration error, 15 bins of equal mass",
    "calibration_error_debiased": "calibration error without binning noise (RMS)",
    "mce": "largest gap of a bin (MCE)",
    "calibration_slope": "slope (1 is ideal, below 1 overconfident)",
    "calibration_intercept": "intercept (0 is ideal)",
    "reliability": "reliability (lower is better)",
    "resolution": "resolution (higher is better)",
    "uncertainty": "uncertainty of the labels",
    "within": "variation within bins",
    "sensitivity": "sensitivity (recall)",
    "specificity": "specificity",
    "ppv": "positive predictive value (precision)",
    "npv": "negative predictive value",
    "misclassification_auroc": "detection of errors (AUROC)",
    "misclassification_auprc": "detection of errors (AUPRC)",
    "aurc": "AURC (lower is better)",
    "e_aurc": "E-AURC (lower is better)",
    "augrc": "AUGRC (lower is better)",
    "coverage_at_risk_1": "share answered with at most 1 % errors",
    "coverage_at_risk_5": "share answered with at most 5 % errors",
    "risk_at_coverage_80": "errors in the most certain 80 %",
    "risk_at_coverage_90": "errors in the most certain 90 %",
    "accuracy_at_review_5": "accuracy if a person answers 5 %",
    "accuracy_at_review_10": "accuracy if a person answers 10 %",
    "accuracy_at_review_20": "accuracy if a person answers 20 %",
    "order_sd_mean": "standard deviation of p over orders, mean over rows",
    "order_sd_p95": "standard deviation of p over orders, 95th percentile",
    "order_jsd_mean": "divergence between orders in nats, mean over rows",
    "order_jsd_p95": "divergence between orders in nats, 95th percentile",
    "order_gain": "log-loss that averaging the orders saves, nats (Jensen gap)",
}
