"""Result of an A/B test, and its recommendation in words."""

from typing import Literal

from pydantic import Field

from credence.core.registry import StrictModel
from credence.production.ab_test.paired_answers import Unit
from credence.reporting.number_format import format_number, format_percent, plural

Recommendation = Literal["promote", "keep", "wait"]


class IntervalEstimate(StrictModel):
    """A mean with bounds that hold at all times together (confidence sequence)."""

    value: float
    low: float
    high: float


class ABTestResult(StrictModel):
    """Comparison of champion and challenger so far, with a recommendation."""

    task: str
    champion: str
    challenger: str
    rows: int = Field(description="rows that both answered, equal ones counted once")
    repeats: int = Field(description="rows left out because one of the same content counts")
    labelled: int = Field(description="rows with a label")
    units: int = Field(description="requests, or rows, among the labelled rows: each is one piece of evidence")
    unit: Unit
    alpha: float
    margin: float = Field(description="nats of log-loss below which a gain is not worth a promotion")
    disagreement: IntervalEstimate = Field(description="share of rows that the two label differently")
    shift: IntervalEstimate = Field(description="mean absolute difference of the two probabilities")
    possible: float = Field(description="nats that the challenger would gain if every label agreed with it")
    gain: IntervalEstimate | None = Field(description="nats by which the challenger's log-loss is lower")
    p_value: float = Field(description="anytime-valid p-value of no difference, two-sided")
    more: int | None = Field(description="labelled rows still needed if the next are like these; only while waiting")
    days: float | None = Field(description="how long that takes at the rate of labels so far")
    recommendation: Recommendation

    @property
    def sentence(self) -> str:
        """The recommendation in words, with the figures that decided."""
        return f"{_seen(self)} {_advice(self)}"

    @property
    def command(self) -> str | None:
        """The command that follows the recommendation; None while waiting."""
        if self.recommendation == "promote" and self.gain:
            reason = f"log-loss lower by {format_number(self.gain.value)} on {plural(self.labelled, 'labelled row')}"
            to = self.challenger.rpartition(":")[2]
            return f'python run.py --pipeline promotion --task {self.task} --to {to} --reason "{reason}"'
        return (
            f'python run.py --pipeline promotion --task {self.task} --challenger none --reason "…"'
            if self.recommendation == "keep"
            else None
        )


def _seen(trial: ABTestResult) -> str:
    apart = f"label {format_percent(trial.disagreement.value)} of {plural(trial.rows, 'row')} differently"
    if trial.gain is None:
        return f"{trial.challenger} and {trial.champion} {apart}; no label is known yet."
    sure = f"{format_percent(1 - trial.alpha, 2)} confidence at every look"
    return (
        f"On {plural(trial.labelled, 'labelled row')} the log-loss of {trial.challenger} is {_lower(trial.gain.value)} "
        f"than that of {trial.champion}, {_between(trial.gain)} ({sure}); they {apart}."
    )


def _lower(gain: float) -> str:
    return f"{format_number(abs(gain))} {'lower' if gain >= 0 else 'higher'}"


def _between(gain: IntervalEstimate) -> str:
    if gain.low > 0:
        return f"significantly lower, by at least {format_number(gain.low)}"
    if gain.high < 0:
        return f"significantly higher, by at least {format_number(-gain.high)}"
    return f"between {format_number(-gain.low)} higher and {format_number(gain.high)} lower"


def _advice(trial: ABTestResult) -> str:
    if trial.recommendation == "promote":
        return "Promote it."
    if trial.recommendation == "wait":
        return f"Wait{_until(trial)}."
    if trial.gain and trial.gain.high < 0:
        return "Keep the champion: the challenger is worse."
    if trial.gain and trial.gain.high < trial.margin:
        return f"Keep the champion: a gain of {trial.margin:g}, the margin, is ruled out."
    at_most = f"{format_number(trial.possible)} even if every label agreed with it"
    return f"Keep the champion: the challenger's answers are so similar that it gains at most {at_most}."


def _until(trial: ABTestResult) -> str:
    if trial.more is None:
        return ": send labels to /feedback" if trial.gain is None else ": these rows do not show for how long"
    days = "" if trial.days is None else f", {_duration(trial.days)} at the rate so far"
    return f": if the next rows are like these, about {format_number(trial.more)} more labelled ones decide{days}"


def _duration(days: float) -> str:
    return plural(max(round(days * 24), 1), "hour") if days < 2 else plural(round(days), "day")
