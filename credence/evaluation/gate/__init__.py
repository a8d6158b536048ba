"""The gate: may the challenger replace the champion? Both answer the same rows, and error rates are bounded."""

from collections.abc import Sequence

import pandas as pd

from credence.evaluation.gate.evidence import collect_evidence, detectable
from credence.evaluation.gate.guards import Guard
from credence.evaluation.gate.rules import apply_rules
from credence.evaluation.gate.section import Gate
from credence.evaluation.gate.verdict import Side, Verdict
from credence.statistics.metrics import Bools, Estimate
from credence.statistics.paired_comparison import PairedDifference

__all__ = ["Gate", "Guard", "Side", "Verdict", "detectable", "judge"]


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
    """Judge the challenger on test rows (columns label, group, key).

    Args:
        challenger: Its answers on the rows.
        champion: The champion's answers on the same rows in the same order; None if there is none.
        rows: The test rows.
        base_rate: Share of yes among the training rows.
        gate: The rules.
        looks: Number of earlier comparisons on these rows; each one spends a part of the error rate.
        seen: Marks the rows that trained or calibrated the champion, shape (rows,); they are left out.
        unanswerable: Why the champion cannot answer these rows, if so.
        data: Guards on the rows themselves.
    """
    found = collect_evidence(challenger, champion, rows, base_rate, gate, looks, seen, unanswerable, data)
    outcome, reason = apply_rules(found)
    return Verdict(
        outcome=outcome,
        reason=reason,
        metric=gate.metric,
        guards=found.guards,
        challenger=found.challenger,
        champion=found.champion,
        constant=found.constant,
        difference=None if found.pair is None else _bounds(found.pair, found.level, gate.margin),
        better_than_constant=_bounds(found.gain, found.alpha),
        detectable=found.detectable,
        rows=found.rows,
        disputed=found.disputed,
        mcnemar_p=found.mcnemar_p,
        left_out=found.left_out,
        looks=found.looks,
        level=found.level,
        level_left=found.level_left,
    )


def _bounds(pair: PairedDifference, alpha: float, margin: float = 0.0) -> Estimate:
    return Estimate(value=pair.value, low=pair.low(alpha, margin), high=pair.high(alpha))
