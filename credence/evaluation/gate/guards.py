"""What must not get worse while the gate's metric gets better: groups, calibration, coverage, latency."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom

from credence.core.registry import StrictModel
from credence.statistics.bootstrap import CHUNK_CELLS, Keys, Weights, cluster_ids, jackknife_weights
from credence.statistics.metrics import Bools, Predictions, bins, format_metric_difference, score
from credence.statistics.paired_comparison import PairedDifference
from credence.statistics.uncertainty import Array

SIMULATION_LEVEL = 1000
MIN_PARTS = 0.005


class Guard(StrictModel):
    """One condition beside the metric. Where it fails, a person must look before a promotion."""

    name: str
    ok: bool
    message: str


class _Part:
    """The answers about some of the rows."""

    def __init__(self, whole: Predictions, rows: Bools) -> None:
        self.p, self.yes = whole.p[rows], whole.yes[rows]


def worst_group_guard(
    name: str,
    ours: Predictions,
    theirs: Predictions,
    y: NDArray[Any],
    groups: NDArray[Any],
    keys: NDArray[Any],
    drawn: Weights,
    allowed: float,
    alpha: float,
) -> Guard:
    """Fails where ours is surely worse in a group by more than `allowed`; the groups share alpha (Bonferroni)."""
    found = np.unique(groups)
    if len(found) < 2:
        return Guard(name="worst_group", ok=True, message="all rows are one group")
    pairs = {str(g): _within(name, ours, theirs, y, keys, drawn, groups == g) for g in found}
    surely = {g: pair.high(alpha / len(found)) for g, pair in pairs.items()}
    worst = min(surely, key=lambda g: surely[g])
    if surely[worst] < -allowed:
        loss, most = (
            format_metric_difference(name, pairs[worst].value, sign=True),
            format_metric_difference(name, allowed),
        )
        return Guard(
            name="worst_group", ok=False, message=f"group {worst!r} changes by {loss}, surely a loss above {most}"
        )
    return Guard(
        name="worst_group",
        ok=True,
        message=f"none of {len(found)} groups is surely worse by {format_metric_difference(name, allowed)}",
    )


def _within(
    name: str, ours: Predictions, theirs: Predictions, y: NDArray[Any], keys: NDArray[Any], drawn: Weights, rows: Bools
) -> PairedDifference:
    left = jackknife_weights(keys[rows], int(rows.sum()))
    return PairedDifference.of(name, _Part(ours, rows), _Part(theirs, rows), y[rows], drawn[:, rows], left)


def calibration_guard(
    ours: Predictions, theirs: Predictions | None, y: NDArray[Any], keys: NDArray[Any], confidence: float
) -> Guard:
    """Fails where calibration error is beyond what a calibrated predictor shows by luck, and above the champion's."""
    error, luck = score("ece", ours.p, ours.yes, y), calibration_error_band(ours.p, keys, confidence)
    message = f"calibration error {error:.3f}; a calibrated predictor shows up to {luck:.3f} by luck"
    if theirs is None:
        return Guard(name="calibration_error", ok=True, message=message)
    before = score("ece", theirs.p, theirs.yes, y)
    return Guard(
        name="calibration_error", ok=error <= max(luck, before), message=f"{message}, the champion {before:.3f}"
    )


def calibration_error_band(p: Array, keys: Keys, confidence: float = 0.95, seed: int = 0) -> float:
    """The calibration error below which a predictor stays with this confidence whose p is exactly right.

    Binning alone gives a calibrated predictor an error above 0 (Bröcker & Smith 2007): labels are drawn from p again
    and again. Rows that share a key share their luck.
    """
    code, rng, inside = cluster_ids(keys, len(p)), np.random.default_rng(seed), bins(p).astype(float)
    errors, step = [], max(1, CHUNK_CELLS // len(p))
    for start in range(0, SIMULATION_LEVEL, step):
        u = rng.random((min(step, SIMULATION_LEVEL - start), int(code.max()) + 1))[:, code]
        errors.append(np.abs((p - (u < p)) @ inside).sum(1) / len(p))
    return float(np.quantile(np.concatenate(errors), confidence))


def coverage_guard(sets: Bools | None, y: NDArray[Any], alpha: float, calibrated_on: tuple[int, int] | None) -> Guard:
    """Fails where the sets of an answer's rows hold it so seldom that sound sets do so in 1 of 200 test parts."""
    if sets is None:
        return Guard(name="coverage", ok=True, message="the challenger gives no sets")
    found, sound = [], True
    for c, word in enumerate(("no", "yes")):
        held, n = int(sets[y == c, c].sum()), int((y == c).sum())
        sound &= _luck(held, n, alpha, calibrated_on[c] if calibrated_on else None) >= MIN_PARTS
        found.append(f"{held / max(n, 1):.3f} of the {n} {word} rows")
    return Guard(
        name="coverage", ok=sound, message=f"sets hold the truth in {' and '.join(found)}, promised {1 - alpha:.3f}"
    )


def _luck(held: int, n: int, alpha: float, calibrated_on: int | None) -> float:
    """The chance that sound sets hold the truth in `held` or fewer of n rows: beta-binomial, since the calibration rows
    are a sample too (Vovk 2012); binomial where their number is not known."""
    if calibrated_on is None:
        return float(binom.cdf(held, n, 1 - alpha))
    outside = max(int(alpha * (calibrated_on + 1)), 1)
    return float(betabinom.cdf(held, n, calibrated_on + 1 - outside, outside))


def latency_guard(milliseconds: float | None, limit: float | None) -> Guard:
    """Fails where a row takes longer than the limit."""
    if limit is None:
        return Guard(name="latency", ok=True, message=_measured(milliseconds))
    if milliseconds is None:
        return Guard(name="latency", ok=False, message=f"the limit is {limit:g} ms per row, but no time was measured")
    return Guard(name="latency", ok=milliseconds <= limit, message=f"{milliseconds:.3g} ms per row, limit {limit:g} ms")


def _measured(milliseconds: float | None) -> str:
    return "no limit is set" if milliseconds is None else f"one row takes {milliseconds:.3g} ms; no limit is set"
