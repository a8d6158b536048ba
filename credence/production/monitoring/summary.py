"""Results of monitoring as one JSON document, read by alerts, retraining and page."""

from typing import Literal

from pydantic import ConfigDict, Field

from credence.core.registry import StrictModel
from credence.production.monitoring import Monitoring
from credence.production.monitoring.martingale import MartingaleResult
from credence.reporting.measure import Group, Measure
from credence.reporting.number_format import format_number, plural
from credence.statistics.reliability import ChanceLevel, ReliabilityBin

DriftState = Literal["quiet", "watch", "drift"]
ANSWERS = "answers"
Change = Literal["steady", "small", "drifted", "aside"]


class ColumnSummary(StrictModel):
    """Summary of one sample: quantiles, or shares of the most frequent values."""

    rows: int
    mean: float | None = None
    low: float | None = Field(None, description="the 10th percentile")
    median: float | None = None
    high: float | None = Field(None, description="the 90th percentile")
    shares: dict[str, float] = {}


class CategoryBars(StrictModel):
    """Both distributions over the same bins or values, as shares that sum to 1."""

    labels: list[str]
    before: list[float]
    now: list[float]


class ColumnDrift(StrictModel):
    """One comparison: a column's values, its missing values, or a statistic of its texts."""

    column: str
    trait: str
    kind: Literal["number", "category", "date"]
    distance: float = Field(description="the share of rows that moved: Kolmogorov-Smirnov or total variation distance")
    p_value: float
    q_value: float = Field(description="p-value adjusted for the number of comparisons (Benjamini & Hochberg 1995)")
    change: Change
    before: ColumnSummary
    now: ColumnSummary
    bars: CategoryBars
    sentence: str


class DriftReport(StrictModel):
    """All comparisons of the window with the training rows."""

    rows: int = Field(description="records of this version in the window")
    distinct: int = Field(description="of these, rows that are not copies")
    effective: int = Field(description="effective number of independent rows")
    reference: int
    enough: bool = Field(description="whether they are enough for a test")
    watched: list[ColumnDrift]
    unwatched: dict[str, str] = Field(description="columns that cannot be compared, and why")

    def drifted(self) -> list[str]:
        """Raw names of the columns with drift, without the probabilities, which the predictor made itself."""
        return list(dict.fromkeys(w.column for w in self.watched if w.change == "drifted" and w.trait != ANSWERS))


class PerformanceReport(StrictModel):
    """Performance on labelled rows, against the test rows."""

    rows: int
    share: float = Field(description="labelled rows among all answers of the window")
    probability: tuple[float | None, float | None] = Field(description="mean of the labelled and the unlabelled rows")
    representative: float | None = Field(description="p-value: labelled and other rows have the same probabilities")
    metric: str
    margin: float
    scores: dict[str, Measure] = {}
    promised: dict[str, Measure] = Field({}, description="the same on the test rows")
    loss: Measure | None = Field(None, description="worse than on the test rows by; `low` is a one-sided bound")
    lost: bool = Field(False, description="significantly worse by more than the margin")
    calibration: dict[str, Measure] = {}
    chance: ChanceLevel | None = None
    table: list[ReliabilityBin] = []
    groups: list[Group] = []
    sentence: str


class OperationsSummary(StrictModel):
    """Requests, latencies and answers of the service in the window."""

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


class MonitoringSummary(StrictModel):
    """The verdict on a window of the log, its reason and all figures. Undefined figures survive JSON as strings."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
    task: str
    version: str
    verdict: DriftState
    reason: str = Field(description="one or two plain sentences with what decided")
    troubles: list[str] = Field(description="one sentence per problem")
    retrain: bool = Field(description="whether training should start")
    drift: DriftReport
    sequential: MartingaleResult
    performance: PerformanceReport
    operations: OperationsSummary


NAMED = 5
THE_ANSWERS = "the probabilities of the answers"


def drift_state(drift: DriftReport, sequential: MartingaleResult) -> DriftState:
    """The verdict.

    drift: a significant change above `monitoring.effect`. watch: a significant smaller change, or an alarm of the
    martingale alone. quiet: neither.
    """
    if drift.enough and any(w.change == "drifted" for w in drift.watched):
        return "drift"
    small = drift.enough and any(w.change == "small" for w in drift.watched)
    return "watch" if small or sequential.alarm else "quiet"


def drift_reason(verdict: DriftState, drift: DriftReport, sequential: MartingaleResult, section: Monitoring) -> str:
    """The verdict's reason in one or two sentences: which columns changed, by how much, from what to what."""
    rows = _rows(drift)
    if not drift.enough and verdict == "quiet":
        return f"{rows}: fewer than the {section.minimum_rows} of monitoring.minimum_rows, too few to test."
    if verdict == "quiet":
        return f"On {rows} nothing differs significantly from the {plural(drift.reference, 'reference row')}."
    moved = [w for w in drift.watched if w.change == ("drifted" if verdict == "drift" else "small")]
    if not moved:
        alone = (
            "no single column differs significantly" if drift.enough else "there are too few to test this window alone"
        )
        return (
            f"On {rows} {alone}, but the exchangeability martingale over all windows gives an alarm on "
            f"{sequential.trait}."
        )
    how = "differ" if verdict == "drift" else "differ significantly, but by less than monitoring.effect,"
    columns = list(dict.fromkeys(w.column if w.trait != ANSWERS else THE_ANSWERS for w in moved))
    return f"On {rows} {_listed(columns)} {how} from the reference: {_worst(moved)}."


def _rows(drift: DriftReport) -> str:
    if drift.effective == drift.rows:
        return plural(drift.rows, "row")
    return f"{plural(drift.rows, 'row')} (worth {drift.effective:,} independent ones)"


def _listed(columns: list[str]) -> str:
    shown = columns[:NAMED]
    more = [f"{len(columns) - NAMED} more"] if len(columns) > NAMED else []
    *first, last = [*shown, *more]
    return f"{', '.join(first)} and {last}" if first else last


def _worst(moved: list[ColumnDrift]) -> str:
    return "; ".join(w.sentence for w in sorted(moved, key=lambda w: -w.distance)[:NAMED])


def warnings(right: PerformanceReport, service: OperationsSummary) -> list[str]:
    """One sentence for each problem besides drift."""
    found = [right.sentence] if right.lost else []
    if service.slow:
        p95, bound = format_number(service.latency_ms["p95"]), format_number(service.bound_ms)
        found.append(f"95 % of the requests took up to {p95} ms; the bound is {bound} ms.")
    if service.dropped:
        found.append(f"{plural(service.dropped, 'record')} were dropped under load and are not in these figures.")
    found += [f"The log could not be read whole: {skipped}." for skipped in service.skipped]
    return found
