"""Guards: what must not get worse while the gate's metric gets better (groups, calibration, coverage, latency)."""

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
    """One condition besides the metric. If it fails, a person decides about the promotion."""

    name: str
    ok: bool
    message: str


class _Part:
    """The answers on a subset of the rows."""

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
    """Fail if the challenger is significantly worse than the champion by more than `allowed` in one group.

    The groups share alpha (Bonferroni).

    Args:
        name: The metric.
        ours: The challenger's answers.
        theirs: The champion's answers.
        y: Labels, shape (rows,).
        groups: Group of each row, shape (rows,).
        keys: Key of each row; rows that share a key are resampled together.
        drawn: Bootstrap weights, shape (resamples, rows).
        allowed: The largest loss that is accepted, in units of the metric.
        alpha: Error rate over all groups together.
    """
    found, most = np.unique(groups), format_metric_difference(name, allowed)
    if len(found) < 2:
        return Guard(name="worst_group", ok=True, message="all rows are one group")
    pairs = {str(g): _within(name, ours, theirs, y, keys, drawn, groups == g) for g in found}
    highest = {g: pair.high(alpha / len(found)) for g, pair in pairs.items()}
    worst = min(highest, key=lambda g: highest[g])
    if highest[worst] < -allowed:
        change = format_metric_difference(name, pairs[worst].value, sign=True)
        message = f"group {worst!r} changes by {change}, significantly more than the {most} allowed"
        return Guard(name="worst_group", ok=False, message=message)
    message = f"none of {len(found)} groups is significantly worse by more than {most}"
    return Guard(name="worst_group", ok=True, message=message)


def _within(
    name: str, ours: Predictions, theirs: Predictions, y: NDArray[Any], keys: NDArray[Any], drawn: Weights, rows: Bools
) -> PairedDifference:
    left = jackknife_weights(keys[rows], int(rows.sum()))
    return PairedDifference.of(name, _Part(ours, rows), _Part(theirs, rows), y[rows], drawn[:, rows], left)


def calibration_guard(
    ours: Predictions, theirs: Predictions | None, y: NDArray[Any], keys: NDArray[Any], confidence: float
) -> Guard:
    """Fail if the calibration error (ECE) is above the chance level of a calibrated predictor and above the champion's.

    Args:
        ours: The challenger's answers.
        theirs: The champion's answers; without them the guard passes.
        y: Labels, shape (rows,).
        keys: Key of each row; rows that share a key share their chance.
        confidence: Quantile of the chance level.
    """
    error, chance = score("ece", ours.p, ours.yes, y), calibration_error_band(ours.p, keys, confidence)
    message = f"calibration error {error:.3f}; a calibrated predictor shows up to {chance:.3f} by chance"
    if theirs is None:
        return Guard(name="calibration_error", ok=True, message=message)
    before = score("ece", theirs.p, theirs.yes, y)
    return Guard(
        name="calibration_error", ok=error <= max(chance, before), message=f"{message}, the champion {before:.3f}"
    )


def calibration_error_band(p: Array, keys: Keys, confidence: float = 0.95, seed: int = 0) -> float:
    """ECE that a perfectly calibrated predictor does not exceed with this confidence.

    Binning alone gives a calibrated predictor an ECE above 0 (Bröcker & Smith 2007). The quantile is taken over 1,000
    sets of labels simulated from p. Rows that share a key share their random number.
    """
    code, rng, inside = cluster_ids(keys, len(p)), np.random.default_rng(seed), bins(p).astype(float)
    errors, step = [], max(1, CHUNK_CELLS // len(p))
    for start in range(0, SIMULATION_LEVEL, step):
        u = rng.random((min(step, SIMULATION_LEVEL - start), int(code.max()) + 1))[:, code]
        errors.append(np.abs((p - (u < p)) @ inside).sum(1) / len(p))
    return float(np.quantile(np.concatenate(errors), confidence))


def coverage_guard(sets: Bools | None, y: NDArray[Any], alpha: float, calibrated_on: tuple[int, int] | None) -> Guard:
    """Fail if valid conformal sets would hold the true answer this seldom in fewer than 1 of 200 test parts.

    Args:
        sets: Conformal sets, shape (rows, 2), columns no and yes; without them the guard passes.
        y: Labels, shape (rows,).
        alpha: Promised share of sets that miss the true answer.
        calibrated_on: Number of (no, yes) rows that the sets were calibrated on.
    """
    if sets is None:
        return Guard(name="coverage", ok=True, message="the challenger gives no sets")
    found, sound = [], True
    for c, word in enumerate(("no", "yes")):
        held, n = int(sets[y == c, c].sum()), int((y == c).sum())
        sound &= _chance_of_coverage(held, n, alpha, calibrated_on[c] if calibrated_on else None) >= MIN_PARTS
        found.append(f"{held / max(n, 1):.3f} of the {n} {word} rows")
    return Guard(
        name="coverage", ok=sound, message=f"sets hold the truth in {' and '.join(found)}, promised {1 - alpha:.3f}"
    )


def _chance_of_coverage(held: int, n: int, alpha: float, calibrated_on: int | None) -> float:
    """Probability that valid sets hold the truth in `held` or fewer of n rows.

    Beta-binomial, because the calibration rows are a sample too (Vovk 2012); binomial if their number is unknown.
    """
    if calibrated_on is None:
        return float(binom.cdf(held, n, 1 - alpha))
    outside = max(int(alpha * (calibrated_on + 1)), 1)
    return float(betabinom.cdf(held, n, calibrated_on + 1 - outside, outside))


def latency_guard(milliseconds: float | None, limit: float | None) -> Guard:
    """Fail if one row takes longer than the limit in milliseconds, or if a limit is set and no time was measured."""
    if limit is None:
        return Guard(name="latency", ok=True, message=_measured(milliseconds))
    if milliseconds is None:
        return Guard(name="latency", ok=False, message=f"the limit is {limit:g} ms per row, but no time was measured")
    return Guard(name="latency", ok=milliseconds <= limit, message=f"{milliseconds:.3g} ms per row, limit {limit:g} ms")


def _measured(milliseconds: float | None) -> str:
    return "no limit is set" if milliseconds is None else f"one row takes {milliseconds:.3g} ms; no limit is set"
