"""Performance on labelled rows of a window, against the test rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.production.monitoring import FOR_LOSS, Monitoring
from credence.production.monitoring.hypothesis_tests import ks_test
from credence.production.monitoring.summary import PerformanceReport
from credence.reporting.measure import (
    Measure,
    finite_or_none,
    measure_by_group,
    measure_with_intervals,
    score_with_interval,
)
from credence.reporting.number_format import format_number, plural
from credence.statistics.bootstrap import bootstrap_weights, jackknife_weights
from credence.statistics.metrics import METRICS, Bools, format_metric_difference, score
from credence.statistics.paired_comparison import PairedDifference
from credence.statistics.reliability import calibration_error, cox_recalibration, reliability_by_chance
from credence.statistics.uncertainty import Array

RESAMPLES = 1000
MAX_ROWS = 50_000
BY_GROUP = ("log_loss", "auroc", "ece")
UNKNOWN = "No label has arrived for this window, so the quality of its answers is unknown."


@dataclass(frozen=True)
class ScoredRows:
    """Probabilities, given labels and true labels of some rows; rows that share a key are copies."""

    p: Array
    yes: Bools
    y: NDArray[np.int64]
    keys: NDArray[Any] | None = None

    @property
    def independent(self) -> int:
        """Number of distinct rows."""
        return len(self.y) if self.keys is None else len(np.unique(self.keys))

    def drawn(self, seed: int) -> NDArray[Any]:
        """Bootstrap weights, shape (resamples, rows); copies stay together."""
        return bootstrap_weights(self.keys, len(self.y), RESAMPLES, seed)


def score_labelled(
    records: pd.DataFrame,
    keys: NDArray[np.uint64],
    yes: str,
    section: Monitoring,
    test: ScoredRows | None,
    metric: str,
    margin: float,
) -> PerformanceReport:
    """Score the labelled records, overall and by group, and compare them with the test rows.

    Args:
        records: Records of one version with the column `truth`.
        keys: Content hash of each record, shape (records,).
        yes: Name of the answer yes.
        section: The settings.
        test: Answers on the test rows; without them there is no comparison.
        metric: The gate's metric.
        margin: The gate's margin.
    """
    known = records["truth"].notna().to_numpy()
    found = {
        "rows": int(known.sum()),
        "share": float(known.mean()),
        "metric": metric,
        "margin": margin,
        **_label_selection(records["probability"].to_numpy(float), known),
    }
    if not known.any():
        return PerformanceReport(**found, sentence=UNKNOWN)
    step = 1 + int(known.sum()) // MAX_ROWS
    rows, keys = records[known].iloc[::step], keys[known][::step]
    truth, said = rows["truth"].to_numpy(np.int64), (rows["label"] == yes).to_numpy()
    now = ScoredRows(rows["probability"].to_numpy(float), said, truth, keys)
    loss = None if test is None else performance_loss(now, test, metric, FOR_LOSS * section.alpha)
    enough = now.independent >= section.minimum_labels
    lost = bool(enough and loss and loss.low is not None and loss.low > margin)
    sentence = _sentence(now, loss, lost, metric, margin) if enough else _too_few(now, section)
    return PerformanceReport(
        **found, **_measured(now, test, metric, rows["group"]), loss=loss, lost=lost, sentence=sentence
    )


def _measured(now: ScoredRows, test: ScoredRows | None, metric: str, groups: pd.Series) -> dict[str, Any]:
    names, w = list(dict.fromkeys((metric, *METRICS))), now.drawn(0)
    table, chance = reliability_by_chance(now.p, now.y)
    fit = measure_with_intervals(cox_recalibration(now.p, now.y), w) if 0 < now.y.mean() < 1 else {}
    return {
        "scores": _scored(now, names, w),
        "promised": _scored(test, names, test.drawn(1)) if test else {},
        "calibration": measure_with_intervals(calibration_error(now.p, now.y), w, centred=True) | fit,
        "chance": chance,
        "table": table,
        "groups": measure_by_group(groups, list(dict.fromkeys((metric, *BY_GROUP))), now.p, now.yes, now.y, w),
    }


def _scored(side: ScoredRows, names: list[str], w: NDArray[Any]) -> dict[str, Measure]:
    return {m: score_with_interval(m, side.p, side.yes, side.y, w) for m in names}


def performance_loss(now: ScoredRows, test: ScoredRows, metric: str, alpha: float) -> Measure:
    """How much worse the metric is than on the test rows; `low` and `high` are one-sided bounds at alpha.

    The two samples are independent, so both are resampled. As in the gate, few deciding rows widen the bounds.
    """
    sign = 1 if METRICS[metric].higher_is_better else -1
    value = sign * (score(metric, test.p, test.yes, test.y) - score(metric, now.p, now.yes, now.y))
    samples = sign * (_scores(metric, test, test.drawn(1)) - _scores(metric, now, now.drawn(2)))
    defined, n = samples[~np.isnan(samples)], test.independent + now.independent
    influence = np.concatenate([_influence(metric, side) for side in (test, now)])
    deciding = float((influence**2).sum() ** 2 / fourth) if (fourth := (influence**4).sum()) > 0 else 0.0
    error = float(defined.std()) if len(defined) else 0.0
    pair = PairedDifference(value, error, deciding if error > 0 else 0.0, n, METRICS[metric].widest)
    low, high = (pair.low(alpha), pair.high(alpha)) if np.isfinite(value) else (None, None)
    return Measure(value=finite_or_none(value), low=low, high=high, n=len(now.y))


def _scores(metric: str, side: ScoredRows, w: NDArray[Any]) -> Array:
    return np.asarray(METRICS[metric].of(side.p, side.yes, side.y, w))


def _influence(metric: str, side: ScoredRows) -> Array:
    """Influence of each row, or group of copies, on the metric (jackknife)."""
    without = _scores(metric, side, jackknife_weights(side.keys, len(side.y)))
    defined = without[~np.isnan(without)]
    return (defined.mean() - defined) if len(defined) else defined


def _label_selection(p: Array, known: Bools) -> dict[str, Any]:
    """Compare probabilities of labelled and unlabelled rows: labels are seldom a random sample."""
    means = [finite_or_none(part.mean()) if len(part) else None for part in (p[known], p[~known])]
    both = known.any() and not known.all()
    return {
        "probability": tuple(means),
        "representative": ks_test(p[~known], p[known], float(known.sum()))[1] if both else None,
    }


def _too_few(now: ScoredRows, section: Monitoring) -> str:
    return (
        f"{plural(now.independent, 'different labelled row')} of the {section.minimum_labels} that "
        "monitoring.minimum_labels asks for: too few to test for a loss."
    )


def _sentence(now: ScoredRows, loss: Measure | None, lost: bool, metric: str, margin: float) -> str:
    title, rows = METRICS[metric].title, plural(len(now.y), "labelled row")
    if loss is None or loss.value is None:
        return f"On {rows} the {title} cannot be compared with the test rows."
    value, how = format_number(score(metric, now.p, now.yes, now.y)), "worse" if loss.value >= 0 else "better"
    change = format_metric_difference(metric, abs(loss.value))
    claim = f"On {rows} the {title} is {value}, {change} {how} than on the test rows"
    limit = format_metric_difference(metric, margin)
    if lost:
        return f"{claim}, significantly worse{f' by more than {limit}' if margin else ''}."
    return f"{claim}, which is no significant loss{f' of more than {limit}' if margin else ''}."
