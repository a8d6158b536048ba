"""The gate's rules in their order, each with the sentence that a reader of the verdict gets."""

from dataclasses import dataclass
from math import isnan

from credence.evaluation.gate.verdict import GateOutcome
from credence.statistics.metrics import METRICS, Estimate, format_metric_difference
from credence.statistics.paired_comparison import PairedDifference

Decision = tuple[GateOutcome, str]


@dataclass(frozen=True)
class GateEvidence:
    """All figures that the rules read. `blocked` says why there can be no comparison; `same`: both answer alike."""

    metric: str
    minimum: float | None
    margin: float
    confidence: float
    rows: int
    base_rate: float
    challenger: Estimate
    champion: Estimate | None
    gain: PairedDifference
    pair: PairedDifference | None
    same: bool
    level: float
    blocked: str | None

    @property
    def title(self) -> str:
        return METRICS[self.metric].title


def apply_rules(found: GateEvidence) -> Decision:
    """What the first rule that speaks says."""
    fails = _no_better_than_constant(found) or _below_minimum(found) or _cannot_compare(found)
    if fails or found.pair is None or found.champion is None:
        return fails or _first(found)
    pair, champion = found.pair, found.champion
    return _same_answers(found, pair) or _undefined(found, pair) or _compared(found, pair, champion)


def _no_better_than_constant(found: GateEvidence) -> Decision | None:
    alpha = 1 - found.confidence
    if found.gain.is_better(alpha):
        return None
    return "keep", (
        f"On {found.rows} test rows the challenger is not surely better than a constant that gives every row the "
        f"share of yes, {found.base_rate:.2f}: its log-loss is {_gap('log_loss', found.gain.value)}, and with "
        f"{_sure(alpha)} confidence {_bound('log_loss', found.gain.low(alpha))}."
    )


def _below_minimum(found: GateEvidence) -> Decision | None:
    value, better = found.challenger.value, METRICS[found.metric].higher_is_better
    if found.minimum is None or (value >= found.minimum if better else value <= found.minimum):
        return None
    limit = f"below the minimum {found.minimum:g}" if better else f"above the highest allowed {found.minimum:g}"
    if isnan(value):
        limit = "not defined on them"
    return "keep", f"On {found.rows} test rows the challenger's {found.title}, {found.challenger}, is {limit}."


def _cannot_compare(found: GateEvidence) -> Decision | None:
    return ("hold", found.blocked) if found.blocked else None


def _first(found: GateEvidence) -> Decision:
    clears = "" if found.minimum is None else f", which clears the limit {found.minimum:g}"
    return "promote", (
        f"There is no champion yet. On {found.rows} test rows the challenger's {found.title} is {found.challenger}"
        f"{clears}, and its log-loss is surely better than a constant's, by "
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
    metric = found.metric
    claim = (
        f"On {found.rows} test rows the challenger's {found.title} is {found.challenger.value:.3f} and the champion's "
        f"{champion.value:.3f}, {_gap(metric, pair.value)}; with {_sure(found.level)} confidence it is "
        f"{_bound(metric, pair.low(found.level, found.margin))}"
    )
    margin = f"the margin of {format_metric_difference(metric, found.margin)}"
    if pair.is_better(found.level, found.margin):
        return "promote", f"{claim}, {f'within {margin}' if found.margin else 'so surely better'}."
    lacks = f"beyond {margin}" if found.margin else "so not surely better"
    unseen = format_metric_difference(metric, pair.detectable(found.level))
    return "keep", f"{claim}, {lacks}; a true difference under {unseen} would usually go unnoticed here."


def _gap(metric: str, value: float) -> str:
    return f"{format_metric_difference(metric, abs(value))} {'better' if value >= 0 else 'worse'}"


def _bound(metric: str, low: float) -> str:
    return f"{'at least' if low >= 0 else 'at most'} {_gap(metric, low)}"


def _sure(alpha: float) -> str:
    return f"{100 * (1 - alpha):.4g} %"
