"""What monitoring found, as one JSON document that alerts, retraining and the page read."""

from typing import Literal

from pydantic import ConfigDict, Field

from credence.kinds import Strict
from credence.monitoring.sequence import Sequential
from credence.report.intervals import Measure
from credence.report.reliability import Bin, Chance
from credence.report.sections import Group

State = Literal["quiet", "watch", "drift"]
ANSWERS = "answers"
Change = Literal["steady", "small", "drifted", "aside"]


class Summary(Strict):
    """A sample of one column in short: its middle and its spread, or the shares of its commonest values."""

    rows: int
    mean: float | None = None
    low: float | None = Field(None, description="the 10th percentile")
    median: float | None = None
    high: float | None = Field(None, description="the 90th percentile")
    shares: dict[str, float] = {}


class Bars(Strict):
    """Both distributions over the same bins or values, as shares that sum to 1."""

    labels: list[str]
    before: list[float]
    now: list[float]


class Watched(Strict):
    """One thing that was compared: a column's values, how many of them are missing, a trait of its texts."""

    column: str
    trait: str
    kind: Literal["number", "category", "date"]
    distance: float = Field(description="the share of rows that moved: Kolmogorov-Smirnov or total variation distance")
    p_value: float
    q_value: float = Field(description="p-value adjusted for the number of comparisons (Benjamini & Hochberg 1995)")
    change: Change
    before: Summary
    now: Summary
    bars: Bars
    sentence: str


class Drift(Strict):
    """Every comparison of the window with what the predictor learned from."""

    rows: int = Field(description="records of this version in the window")
    distinct: int = Field(description="of these, rows that are no copy of another")
    effective: int = Field(description="as many independent rows tell as much")
    reference: int
    enough: bool = Field(description="whether they are enough to say anything")
    watched: list[Watched]
    unwatched: dict[str, str] = Field(description="columns that cannot be compared, and why")

    def drifted(self) -> list[str]:
        """The columns that caused the verdict drift, by their names in requests; what the predictor made of them, its
        probabilities, is none."""
        return list(dict.fromkeys(w.column for w in self.watched if w.change == "drifted" and w.trait != ANSWERS))


class Labelled(Strict):
    """How right the answers were whose truth is known, against what the test rows promised."""

    rows: int
    share: float = Field(description="labelled rows among all answers of the window")
    probability: tuple[float | None, float | None] = Field(description="mean of the labelled and the unlabelled rows")
    representative: float | None = Field(description="p-value: labelled and other rows have the same probabilities")
    metric: str
    margin: float
    scores: dict[str, Measure] = {}
    promised: dict[str, Measure] = Field({}, description="the same on the test rows")
    loss: Measure | None = Field(None, description="worse than on the test rows by; `low` is a one-sided bound")
    lost: bool = Field(False, description="surely worse by more than the margin")
    calibration: dict[str, Measure] = {}
    chance: Chance | None = None
    table: list[Bin] = []
    groups: list[Group] = []
    sentence: str


class Operations(Strict):
    """How the service fared in the window."""

    records: int
    requests: int
    versions: dict[str, int]
    first: str
    last: str
    abstained: float
    yes: float
    strange: dict[str, float] = Field(description="the share of rows by reason for doubt")
    latency_ms: dict[str, float] = Field(description="p50, p95, p99 of the requests; empty where none was measured")
    bound_ms: float
    slow: bool
    dropped: int
    skipped: list[str]
    answers: dict[str, list[float]] = Field(description="over twelve equal parts of the window")


class Health(Strict):
    """The verdict on a window of the log, why, and every figure behind it. Survives JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
    task: str
    version: str
    verdict: State
    reason: str = Field(description="one or two plain sentences with what decided")
    troubles: list[str] = Field(description="one sentence for everything that somebody should know of")
    retrain: bool = Field(description="whether training should start")
    drift: Drift
    sequential: Sequential
    performance: Labelled
    operations: Operations
