"""All measurements of one evaluation as one JSON document, read by figures, page and model card."""

import re

import pandas as pd

from credence.core.registry import StrictModel
from credence.model import TrainingRecord
from credence.reporting.measure import Group, Measure
from credence.reporting.model_report.candidates import COMPARED, Candidate
from credence.reporting.model_report.model_internals import CodeLength, EvidenceReport, OrderReport
from credence.reporting.model_report.sections import ConformalReport, CostReport, OperatingPoint, UncertaintyReport
from credence.reporting.model_report.shift_evaluation import ShiftResult
from credence.reporting.number_format import format_number
from credence.statistics.metrics import METRICS
from credence.statistics.reliability import ChanceLevel, ReliabilityBin

SCORES = ("accuracy", "balanced_accuracy", "f1", "auroc", "auprc", "log_loss", "brier")


NO_METRIC_NAME = re.compile(r"[^/\w.\- :]")


class CalibrationReport(StrictModel):
    """Calibration errors of the probabilities, and the errors that chance alone gives."""

    errors: dict[str, Measure]
    brier_parts: dict[str, Measure]
    chance: ChanceLevel
    table: list[ReliabilityBin]
    raw_log_loss: Measure

    def within_chance(self) -> bool:
        """True if the ECE is one that a perfectly calibrated predictor shows in 19 of 20 samples of these rows."""
        return (self.errors["ece"].value or 0.0) <= self.chance.high


class Curves(StrictModel):
    """Points of the figures as pairs of (x, y) lists, and histograms of the probabilities of (no, yes) rows.

    `parts` holds aleatoric and epistemic bits of some correct and some wrong answers, if there are several draws.
    """

    roc: tuple[list[float], list[float]]
    precision_recall: tuple[list[float], list[float]]
    risk: dict[str, tuple[list[float], list[float]]]
    net_benefit: tuple[list[float], list[float], list[float]]
    histogram: tuple[list[int], list[int]]
    parts: dict[str, tuple[list[float], list[float]]] = {}


class Report(StrictModel):
    """Measurements on the test rows: the winner's in full, every candidate's in short."""

    task: str
    question: str
    answers: tuple[str, str]
    version: str
    metric: str
    rows: int
    yes: int
    keys: int
    resamples: int
    winner: str
    candidates: list[Candidate]
    scores: dict[str, Measure]
    calibration: CalibrationReport
    operating: OperatingPoint
    groups: list[Group]
    selective: dict[str, dict[str, Measure]]
    conformal: ConformalReport
    uncertainty: UncertaintyReport
    cost: CostReport
    curves: Curves
    guarded: Measure | None = None
    code: CodeLength | None = None
    evidence: EvidenceReport | None = None
    order: OrderReport | None = None
    learned: TrainingRecord = TrainingRecord()
    shifts: list[ShiftResult] = []

    def table(self) -> pd.DataFrame:
        """The candidates as a table of text: metric and log-loss with 95 % intervals, AUROC, ECE and cost."""
        lines = []
        for c in self.candidates:
            line = {"candidate": c.title if c.role == "candidate" else f"{c.title} ({c.role})"}
            line |= {METRICS[m].title: c.scores[m].text() for m in dict.fromkeys((self.metric, *COMPARED))}
            lines.append(line | {"fit s": format_number(c.fit_seconds), "ms per row": format_number(c.milliseconds)})
        return pd.DataFrame(lines)

    def leaderboard(self) -> pd.DataFrame:
        """The candidates side by side, as numbers: columns such as auroc, auroc_low and auroc_high (95 % interval)."""
        lines = []
        for c in self.candidates:
            measured = {k: c.scores[k] for k in dict.fromkeys((self.metric, *COMPARED))}
            scores = {k + end: v for k, m in measured.items() for end, v in _ends(m)}
            cost = {"fit_seconds": c.fit_seconds, "milliseconds_per_row": c.milliseconds}
            lines.append({"candidate": c.title, "role": c.role, **scores, **cost})
        return pd.DataFrame(lines).set_index("candidate")

    def flat(self) -> dict[str, float]:
        """Every defined number under a path such as test/auroc and test/auroc_low, for a metrics tracker."""
        measured: dict[str, Measure] = self.scores | self.calibration.errors | self.operating.rates
        measured = measured | {f"brier_{k}": m for k, m in self.calibration.brier_parts.items()}
        measured = measured | {f"{by}/{k}": m for by, found in self.selective.items() for k, m in found.items()}
        measured = measured | {f"group/{g.name}/{k}": m for g in self.groups for k, m in g.scores.items()}
        measured = measured | {f"shift/{s.name}/{k}": m for s in self.shifts for k, m in s.measured().items()}
        measured = measured | ({} if self.guarded is None else {"guarded": self.guarded})
        measured = measured | ({} if self.order is None else self.order.measured())
        flat = {k + end: v for k, m in measured.items() for end, v in _ends(m)} | self._plain()
        return {f"test/{NO_METRIC_NAME.sub('_', k)}": v for k, v in flat.items() if v is not None}

    def _plain(self) -> dict[str, float | None]:
        found: dict[str, float | None] = {f"coverage/{c.among}": c.share for c in self.conformal.table}
        found |= {
            f"milliseconds/batch_{b}_p{q}": t[i] for b, t in self.cost.batches.items() for i, q in enumerate((50, 95))
        }
        found |= {f"diagnostic/{d.name}": d.value for d in self.learned.diagnostics}
        found |= {} if self.code is None else self.code.flat(self.rows)
        found |= {"bits_prequential": next(c.prequential_bits for c in self.candidates if c.role == "winner")}
        found |= {} if self.evidence is None else self.evidence.flat()
        return found | {
            "rows": self.rows,
            "share_of_yes": self.yes / self.rows,
            "threshold": self.operating.threshold,
            "ece_by_chance": self.calibration.chance.high,
            "raw_log_loss": self.calibration.raw_log_loss.value,
            "set_size": self.conformal.mean_size,
            "set_empty": self.conformal.empty,
            "set_double": self.conformal.double,
            "uncertainty": self.uncertainty.total,
            "epistemic": self.uncertainty.epistemic,
            "aleatoric": self.uncertainty.aleatoric,
            "fit_seconds": self.cost.fit_seconds,
            "cpu_seconds": self.cost.cpu_seconds,
            "passes": self.cost.passes,
        }


def _ends(m: Measure) -> list[tuple[str, float | None]]:
    return [("", m.value), ("_low", m.low), ("_high", m.high)]
