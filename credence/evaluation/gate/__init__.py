"""May the challenger replace the champion? Judged on the same rows, with the chance of luck stated."""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy.stats import binomtest, norm

from credence.core.registry import StrictModel
from credence.evaluation.gate import guards
from credence.evaluation.gate.guards import Guard
from credence.evaluation.gate.rules import GateEvidence, apply_rules
from credence.evaluation.gate.verdict import GateOutcome, Side, Verdict
from credence.statistics.bootstrap import Weights, bootstrap_weights, jackknife_weights
from credence.statistics.metrics import METRICS, Bools, Estimate, MetricName, estimate
from credence.statistics.paired_comparison import POWER, PairedDifference, alpha_for_look, alpha_left
from credence.statistics.threshold import NEUTRAL_THRESHOLD

__all__ = ["Gate", "Guard", "Side", "Verdict", "detectable", "judge"]
MIN_ALPHA_SHARE = 0.1


class Gate(StrictModel):
    """When a challenger is good enough to answer in the champion's place."""

    metric: MetricName = Field("accuracy", description="what is judged")
    minimum: float | None = Field(None, ge=0, description="the least the metric must reach; for losses the most")
    margin: float = Field(
        0.0, ge=0, lt=1, description="0: must be surely better; else surely not worse by more than this"
    )
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="1 - the chance of a wrong promotion, over all looks together"
    )
    resamples: int = Field(2000, ge=200, le=100_000, description="resamples of the paired bootstrap")
    worst_group: float | None = Field(
        0.05, ge=0, lt=1, description="hold where a group is surely worse by more than this"
    )
    calibration_error: bool = Field(
        True, description="hold where calibration is off beyond luck, and worse than before"
    )
    coverage: bool = Field(True, description="hold where conformal sets hold the truth less often than promised")
    latency_ms: float | None = Field(
        None, gt=0, description="hold where a row takes longer than this many milliseconds"
    )
    seen_share: float = Field(
        0.1, ge=0, le=1, description="hold where the champion has seen more than this share of rows"
    )

    @model_validator(mode="after")
    def _minimum_is_reachable(self) -> Self:
        most = METRICS[self.metric].widest
        if self.minimum is not None and self.minimum > most:
            raise ValueError(f"minimum is {self.minimum:g}, but {METRICS[self.metric].title} is never above {most:g}")
        return self


def judge(
    challenger: Side,
    champion: Side | None,
    rows: pd.DataFrame,
    base_rate: float,
    gate: Gate,
    looks: int = 0,
    seen: Bools | None = None,
    unanswerable: str | None = None,
    data: Sequence[Guard] = (),
) -> Verdict:
    """The verdict on test rows (columns label, group, key), which both sides answered in the same order.

    `base_rate` is the training rows' share of yes, `looks` the comparisons these rows have been used for before, `seen`
    the rows that the champion learned from, `unanswerable` why it cannot answer at all, `data` what speaks against the
    rows themselves.
    """
    blocked = unanswerable or _spoilt(seen, gate.seen_share)
    if champion is not None and not blocked and seen is not None:
        challenger, champion, rows = challenger.without(seen), champion.without(seen), rows[~seen]
    trial = _PairedEvaluation(challenger, None if blocked else champion, rows, base_rate, gate)
    looked, alpha = looks + trial.uses_test_rows, 1 - gate.confidence
    level, left = alpha_for_look(looks + 1, alpha), alpha_left(looked, alpha)
    found, checks = trial.findings(level, blocked), [*data, *trial.guards()]
    outcome, reason = _guarded(*apply_rules(found), checks)
    return Verdict(
        outcome=outcome,
        reason=reason + _running_out(looked, left, alpha),
        metric=gate.metric,
        guards=checks,
        challenger=found.challenger,
        champion=found.champion,
        constant=trial.estimate(trial.constant),
        difference=None if found.pair is None else _bounds(found.pair, level, gate.margin),
        better_than_constant=_bounds(found.gain, alpha),
        detectable=trial.detectable(found.pair, level),
        rows=len(rows),
        disputed=trial.disputed,
        mcnemar_p=trial.mcnemar(),
        left_out=0 if seen is None else int(seen.sum()),
        looks=looked,
        level=level,
        level_left=left,
    )


class _PairedEvaluation:
    """Both sides and the constant before the same rows, with the resamples that every figure shares."""

    def __init__(
        self, challenger: Side, champion: Side | None, rows: pd.DataFrame, base_rate: float, gate: Gate
    ) -> None:
        self.challenger, self.champion, self.gate, self.base_rate = challenger, champion, gate, base_rate
        self.y, self.groups = rows["label"].to_numpy().astype(bool), rows["group"].to_numpy(str)
        self.keys = rows["key"].to_numpy(str)
        self.drawn: Weights = bootstrap_weights(self.keys, len(rows), gate.resamples)
        self.left = jackknife_weights(self.keys, len(rows))
        share = np.full(len(rows), base_rate)
        self.constant = Side(share, share >= NEUTRAL_THRESHOLD, None, None, "constant")

    @cached_property
    def same(self) -> bool:
        """Do both sides give the answers that the metric reads?"""
        if self.champion is None:
            return False
        ours, theirs = self.challenger, self.champion
        labels = METRICS[self.gate.metric].reads == "labels"
        return np.array_equal(ours.yes, theirs.yes) if labels else np.array_equal(ours.p, theirs.p)

    @property
    def uses_test_rows(self) -> bool:
        return self.champion is not None and not self.same

    @property
    def disputed(self) -> float:
        return 0.0 if self.champion is None else float(np.mean(self.challenger.yes != self.champion.yes))

    def estimate(self, side: Side) -> Estimate:
        return estimate(self.gate.metric, side.p, side.yes, self.y, self.drawn)

    def pair(self, metric: str, other: Side) -> PairedDifference:
        return PairedDifference.of(metric, self.challenger, other, self.y, self.drawn, self.left)

    def findings(self, level: float, blocked: str | None) -> GateEvidence:
        gate, rival = self.gate, self.champion
        return GateEvidence(
            metric=gate.metric,
            minimum=gate.minimum,
            margin=gate.margin,
            confidence=gate.confidence,
            rows=len(self.y),
            base_rate=self.base_rate,
            challenger=self.estimate(self.challenger),
            champion=None if rival is None else self.estimate(rival),
            gain=self.pair("log_loss", self.constant),
            pair=None if rival is None else self.pair(gate.metric, rival),
            same=self.same,
            level=level,
            blocked=blocked,
        )

    def detectable(self, pair: PairedDifference | None, level: float) -> float:
        """Without a dispute to learn from, as many rows are assumed disputed as the challenger gets wrong."""
        if pair is not None and pair.disputed:
            return pair.detectable(level)
        wrong = max(1, int(np.sum(self.challenger.yes != self.y)))
        return detectable(len(self.y), wrong / len(self.y), 1 - level)

    def mcnemar(self) -> float | None:
        if self.champion is None:
            return None
        ours, theirs = self.challenger.yes == self.y, self.champion.yes == self.y
        won, lost = int(np.sum(ours & ~theirs)), int(np.sum(theirs & ~ours))
        return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0

    def guards(self) -> list[Guard]:
        gate, ours, rival = self.gate, self.challenger, self.champion
        found = [guards.latency_guard(ours.milliseconds, gate.latency_ms)]
        if gate.calibration_error:
            found.append(guards.calibration_guard(ours, rival, self.y, self.keys, gate.confidence))
        if gate.coverage:
            found.append(guards.coverage_guard(ours.sets, self.y, ours.alpha, ours.calibrated_on))
        if gate.worst_group is not None and rival is not None:
            sides = (gate.metric, ours, rival, self.y, self.groups, self.keys, self.drawn)
            found.append(guards.worst_group_guard(*sides, gate.worst_group, 1 - gate.confidence))
        return found


def detectable(n: int, disputed: float, confidence: float = 0.95) -> float:
    """The true difference in accuracy that n rows, a share of them disputed, would show in four of five test parts."""
    return float((norm.ppf(confidence) + norm.ppf(POWER)) * np.sqrt(disputed / n))


def _spoilt(seen: Bools | None, most: float) -> str | None:
    if seen is None or not seen.any() or seen.mean() <= most:
        return None
    return (
        f"The champion has learned from {int(seen.sum())} of these {len(seen)} test rows, more than the "
        f"{most:.0%} that gate.seen_share allows, so no fair comparison is left; keep split and row ids as they were, "
        "or archive the champion's version and train again."
    )


def _guarded(outcome: GateOutcome, reason: str, checks: list[Guard]) -> tuple[GateOutcome, str]:
    """A promotion waits for a person where a guard fails."""
    failed = "; ".join(f"{c.name}: {c.message}" for c in checks if not c.ok)
    if outcome != "promote" or not failed:
        return outcome, reason
    return "hold", f"{reason} But a person must look first, because a guard failed: {failed}."


def _running_out(looks: int, left: float, alpha: float) -> str:
    if left >= MIN_ALPHA_SHARE * alpha:
        return ""
    return (
        f" These test rows have served {looks} comparisons, and {left / alpha:.0%} of the allowed chance of error is "
        "left; bring fresh rows by changing split.salt."
    )


def _bounds(pair: PairedDifference, alpha: float, margin: float = 0.0) -> Estimate:
    return Estimate(value=pair.value, low=pair.low(alpha, margin), high=pair.high(alpha))
