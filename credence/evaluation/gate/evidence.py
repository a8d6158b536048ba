"""Evidence of the gate: every figure that its rules and its verdict read, measured once on the test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from credence.evaluation.gate import guards
from credence.evaluation.gate.guards import Guard
from credence.evaluation.gate.section import Gate
from credence.evaluation.gate.verdict import Side
from credence.statistics.bootstrap import Weights, bootstrap_weights, jackknife_weights
from credence.statistics.metrics import METRICS, Bools, Estimate, estimate
from credence.statistics.paired_comparison import POWER, PairedDifference, alpha_for_look, alpha_left
from credence.statistics.threshold import NEUTRAL_THRESHOLD


@dataclass(frozen=True)
class GateEvidence:
    """All figures that the rules read.

    Attributes:
        gate: The task's rules.
        rows: Number of test rows that both sides are compared on.
        base_rate: Share of yes among the training rows.
        challenger: The metric of the challenger, with its 95 % interval.
        champion: The metric of the champion; None if there is none or no comparison is possible.
        constant: The metric of giving every row the base rate.
        gain: Paired difference of log-loss between challenger and constant, in nats.
        pair: Paired difference of the metric between challenger and champion.
        same: True if both sides give the same answers.
        disputed: Share of rows that the two sides label differently.
        mcnemar_p: Two-sided p-value of the exact test that both are right equally often.
        detectable: A true difference that would usually be detected.
        level: Error rate of this comparison.
        level_left: Error rate left for later comparisons.
        looks: Comparisons on these rows so far, this one included.
        left_out: Test rows that trained or calibrated the champion.
        blocked: Why no comparison is possible, if so.
        guards: Conditions besides the metric.
    """

    gate: Gate
    rows: int
    base_rate: float
    challenger: Estimate
    champion: Estimate | None
    constant: Estimate
    gain: PairedDifference
    pair: PairedDifference | None
    same: bool
    disputed: float
    mcnemar_p: float | None
    detectable: float
    level: float
    level_left: float
    looks: int
    left_out: int
    blocked: str | None
    guards: list[Guard]

    @property
    def title(self) -> str:
        """The metric's name in sentences."""
        return METRICS[self.gate.metric].title

    @property
    def alpha(self) -> float:
        """Error rate over all comparisons together."""
        return 1 - self.gate.confidence


def collect_evidence(
    challenger: Side,
    champion: Side | None,
    rows: pd.DataFrame,
    base_rate: float,
    gate: Gate,
    looks: int,
    seen: Bools | None,
    unanswerable: str | None,
    data: Sequence[Guard],
) -> GateEvidence:
    """Measure both sides on the test rows; the arguments are those of `judge`."""
    blocked = unanswerable or _too_many_seen(seen, gate.seen_share)
    if champion is not None and not blocked and seen is not None:
        challenger, champion, rows = challenger.without(seen), champion.without(seen), rows[~seen]
    both = _PairedEvaluation(challenger, None if blocked else champion, rows, base_rate, gate)
    looked, alpha = looks + both.uses_test_rows, 1 - gate.confidence
    level = alpha_for_look(looks + 1, alpha)
    pair = both.pair_with_champion()
    return GateEvidence(
        gate=gate,
        rows=len(rows),
        base_rate=base_rate,
        challenger=both.estimate(challenger),
        champion=None if both.champion is None else both.estimate(both.champion),
        constant=both.estimate(both.constant),
        gain=both.pair("log_loss", both.constant),
        pair=pair,
        same=both.same,
        disputed=both.disputed,
        mcnemar_p=both.mcnemar(),
        detectable=both.detectable(pair, level),
        level=level,
        level_left=alpha_left(looked, alpha),
        looks=looked,
        left_out=0 if seen is None else int(seen.sum()),
        blocked=blocked,
        guards=[*data, *both.guards()],
    )


class _PairedEvaluation:
    """Both sides and the constant on the same rows; all estimates share the same resamples."""

    def __init__(
        self, challenger: Side, champion: Side | None, rows: pd.DataFrame, base_rate: float, gate: Gate
    ) -> None:
        self.challenger, self.champion, self.gate = challenger, champion, gate
        self.y, self.groups = rows["label"].to_numpy().astype(bool), rows["group"].to_numpy(str)
        self.keys = rows["key"].to_numpy(str)
        self.drawn: Weights = bootstrap_weights(self.keys, len(rows), gate.resamples)
        self.left = jackknife_weights(self.keys, len(rows))
        share = np.full(len(rows), base_rate)
        self.constant = Side(share, share >= NEUTRAL_THRESHOLD, None, None, "constant")

    @cached_property
    def same(self) -> bool:
        """True if both sides give the same answers, as far as the metric reads them."""
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

    def pair_with_champion(self) -> PairedDifference | None:
        return None if self.champion is None else self.pair(self.gate.metric, self.champion)

    def detectable(self, pair: PairedDifference | None, level: float) -> float:
        """The difference that would usually be detected.

        If no row is in dispute, the challenger's number of errors stands for the number of disputed rows.
        """
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
    """Difference in accuracy that n rows detect with 80 % power, if this share of them is in dispute.

    The formula is (z(confidence) + z(0.8)) * sqrt(disputed / n).
    """
    return float((norm.ppf(confidence) + norm.ppf(POWER)) * np.sqrt(disputed / n))


def _too_many_seen(seen: Bools | None, most: float) -> str | None:
    if seen is None or not seen.any() or seen.mean() <= most:
        return None
    return (
        f"The champion was trained on {int(seen.sum())} of these {len(seen)} test rows, more than the "
        f"{most:.0%} that gate.seen_share allows, so no fair comparison is left; keep split and row ids as they were, "
        "or archive the champion's version and train again."
    )
