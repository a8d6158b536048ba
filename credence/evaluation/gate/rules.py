"""The gate's rules in order: functions of `GateEvidence` alone, each with the sentence that explains its outcome."""

from math import isnan

from credence.evaluation.gate.evidence import GateEvidence
from credence.evaluation.gate.verdict import GateOutcome
from credence.statistics.metrics import METRICS, Estimate, format_metric_difference
from credence.statistics.paired_comparison import PairedDifference

Decision = tuple[GateOutcome, str]
MIN_ALPHA_SHARE = 0.1


def apply_rules(found: GateEvidence) -> Decision:
    """Outcome and reason: of the first rule that applies, then of the guards, with a warning on worn test rows."""
    outcome, reason = _hold_for_guards(found, *_first_that_applies(found))
    return outcome, reason + _usage_warning(found)


def _first_that_applies(found: GateEvidence) -> Decision:
    fails = _no_better_than_constant(found) or _below_minimum(found) or _cannot_compare(found)
    if fails or found.pair is None or found.champion is None:
        return fails or _no_champion_yet(found)
    pair, champion = found.pair, found.champion
    return _same_answers(found, pair) or _undefined(found, pair) or _compared(found, pair, champion)


def _no_better_than_constant(found: GateEvidence) -> Decision | None:
    if found.gain.is_better(found.alpha):
        return None
    return "keep", (
        f"On {found.rows} test rows the challenger is not significantly better than a constant that gives every row "
        f"the share of yes, {found.base_rate:.2f}: its log-loss is {_gap('log_loss', found.gain.value)}, and with "
        f"{_confidence(found.alpha)} confidence {_bound('log_loss', found.gain.low(found.alpha))}."
    )


def _below_minimum(found: GateEvidence) -> Decision | None:
    value, better = found.challenger.value, METRICS[found.gate.metric].higher_is_better
    least = found.gate.minimum
    if least is None or (value >= least if better else value <= least):
        return None
    limit = f"below the minimum {least:g}" if better else f"above the highest allowed {least:g}"
    if isnan(value):
        limit = "not defined on them"
    return "keep", f"On {found.rows} test rows the challenger's {found.title}, {found.challenger}, is {limit}."


def _cannot_compare(found: GateEvidence) -> Decision | None:
    return ("hold", found.blocked) if found.blocked else None


def _no_champion_yet(found: GateEvidence) -> Decision:
    clears = "" if found.gate.minimum is None else f", which clears the limit {found.gate.minimum:g}"
    return "promote", (
        f"There is no champion yet. On {found.rows} test rows the challenger's {found.title} is {found.challenger}"
        f"{clears}, and its log-loss is significantly better than a constant's ({_confidence(found.alpha)}), by "
        f"{format_metric_difference('log_loss', found.gain.value)}."
    )


def _same_answers(found: GateEvidence, pair: PairedDifference) -> Decision | None:
    if not found.same and (pair.disputed > 0 or pair.value != 0):
        return None
    return "keep", (
        f"Challenger and champion are right and wrong on the same rows ({found.title} {found.challenger.value:.3f} "
        f"on {found.rows} test rows); nothing to gain."
    )


def _undefined(found: GateEvidence, pair: PairedDifference) -> Decision | None:
    if not isnan(pair.value):
        return None
    return "keep", (
        f"The {found.title} of challenger or champion is not defined on these {found.rows} test rows, "
        "so they cannot be compared."
    )


def _compared(found: GateEvidence, pair: PairedDifference, champion: Estimate) -> Decision:
    metric, allowed = found.gate.metric, found.gate.margin
    claim = (
        f"On {found.rows} test rows the challenger's {found.title} is {found.challenger.value:.3f} and the champion's "
        f"{champion.value:.3f}, {_gap(metric, pair.value)}; with {_confidence(found.level)} confidence it is "
        f"{_bound(metric, pair.low(found.level, allowed))}"
    )
    margin = f"the margin of {format_metric_difference(metric, allowed)}"
    if pair.is_better(found.level, allowed):
        return "promote", f"{claim}, {f'within {margin}' if allowed else 'so significantly better'}."
    lacks = f"beyond {margin}" if allowed else "so not significantly better"
    unseen = format_metric_difference(metric, pair.detectable(found.level))
    return "keep", f"{claim}, {lacks}; a true difference under {unseen} would usually go unnoticed here."


def _hold_for_guards(found: GateEvidence, outcome: GateOutcome, reason: str) -> Decision:
    failed = "; ".join(f"{c.name}: {c.message}" for c in found.guards if not c.ok)
    if outcome != "promote" or not failed:
        return outcome, reason
    return "hold", f"{reason} But a person must look first, because a guard failed: {failed}."


def _usage_warning(found: GateEvidence) -> str:
    if found.level_left >= MIN_ALPHA_SHARE * found.alpha:
        return ""
    return (
        f" These test rows have served {found.looks} comparisons, and {found.level_left / found.alpha:.0%} of the "
        "allowed error rate is left; bring fresh rows by changing split.salt."
    )


def _gap(metric: str, value: float) -> str:
    return f"{format_metric_difference(metric, abs(value))} {'better' if value >= 0 else 'worse'}"


def _bound(metric: str, low: float) -> str:
    return f"{'at least' if low >= 0 else 'at most'} {_gap(metric, low)}"


def _confidence(alpha: float) -> str:
    return f"{100 * (1 - alpha):.4g} %"
