"""Inputs and result of the gate: both sides' answers, the use of the test rows, and the verdict."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from credence.core.hashing import stable_hash
from credence.core.registry import StrictModel
from credence.evaluation.gate.guards import Guard
from credence.statistics.metrics import Bools, Estimate
from credence.statistics.uncertainty import Array


class TestSetUsage(StrictModel):
    """Pairs of predictors compared so far, and the number of comparisons per test row (by hash of its id)."""

    pairs: list[str] = []
    times: dict[str, int] = {}

    def before(self, row_ids: pd.Series, challenger: str, champion: str | None) -> int:
        """Number of earlier comparisons on these rows: their mean, rounded up.

        A comparison of the same pair is not counted again: it reveals nothing new.
        """
        pair, rows = _pair(challenger, champion), row_ids.map(stable_hash)
        counts = rows.map(lambda r: self.times.get(r, 0))
        looks = math.ceil(counts.mean()) if len(counts) else 0
        return max(looks - 1, 0) if pair in self.pairs else looks

    def after(self, row_ids: pd.Series, challenger: str, champion: str | None) -> Self:
        """The usage after this pair was compared on these rows."""
        pair = _pair(challenger, champion)
        if pair in self.pairs:
            return self
        times = dict(self.times)
        for row in row_ids.map(stable_hash).unique():
            times[row] = times.get(row, 0) + 1
        return type(self)(pairs=[*self.pairs, pair], times=times)


def _pair(challenger: str, champion: str | None) -> str:
    return f"{challenger} against {champion or 'nobody'}"


GateOutcome = Literal["promote", "keep", "hold"]


@dataclass(frozen=True)
class Side:
    """One predictor's answers on the test rows.

    Attributes:
        p: Probabilities of yes, shape (rows,).
        yes: Labels given, shape (rows,).
        sets: Conformal sets, shape (rows, 2), columns no and yes.
        milliseconds: Time per row, if measured.
        digest: Identity of the predictor.
        alpha: Share of sets that may miss the true answer.
        calibrated_on: Number of (no, yes) rows that the sets were calibrated on.
    """

    p: Array
    yes: Bools
    sets: Bools | None
    milliseconds: float | None
    digest: str
    alpha: float = 0.1
    calibrated_on: tuple[int, int] | None = None

    def without(self, rows: NDArray[Any]) -> "Side":
        """The same answers without the marked rows."""
        sets = None if self.sets is None else self.sets[~rows]
        return Side(
            self.p[~rows], self.yes[~rows], sets, self.milliseconds, self.digest, self.alpha, self.calibrated_on
        )


class Verdict(StrictModel):
    """Outcome of the gate, its reason and the figures behind it. Undefined figures survive JSON as strings."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
    outcome: GateOutcome
    reason: str = Field(description="one or two plain sentences with the figures that decided")
    metric: str
    challenger: Estimate = Field(description="the metric with its 95 % interval")
    champion: Estimate | None
    constant: Estimate = Field(description="the metric of giving every row the share of yes")
    difference: Estimate | None = Field(
        description="challenger better by; low and high are one-sided bounds at `level`"
    )
    better_than_constant: Estimate = Field(description="log-loss gain in nats, with one-sided bounds")
    detectable: float = Field(description="a true difference below this would usually go unnoticed")
    rows: int = Field(description="test rows that were judged on")
    disputed: float = Field(description="share of rows that the two sides label differently")
    left_out: int = Field(description="test rows that the champion has seen")
    looks: int = Field(description="comparisons on these test rows so far, this one included")
    level: float = Field(description="the chance of a wrong promotion that this comparison was allowed")
    level_left: float = Field(description="the chance left for later comparisons")
    guards: list[Guard]
    mcnemar_p: float | None = Field(description="two-sided exact test that both are right equally often, per row")
