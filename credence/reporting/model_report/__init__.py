"""Everything that was measured on the test rows, as one JSON document that figures, page and card read."""

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.model import TrainingRecord
from credence.predictor import Predictor
from credence.reporting.measure import Group, Measure, measure_by_group, measure_with_intervals, score_with_interval
from credence.reporting.model_report.candidates import COMPARED, Candidate, candidates
from credence.reporting.model_report.model_internals import (
    CodeLength,
    EvidenceReport,
    OrderReport,
    trim_training_record,
)
from credence.reporting.model_report.sections import ConformalReport, CostReport, OperatingPoint, UncertaintyReport
from credence.reporting.model_report.shift_evaluation import (
    ShiftResult,
    evaluate_shift_sets,
    flagged_share,
    uncertainty_scores,
)
from credence.reporting.number_format import format_number
from credence.statistics import curves
from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.calibration import Bools
from credence.statistics.metrics import METRICS, MetricName
from credence.statistics.reliability import (
    ChanceLevel,
    ReliabilityBin,
    brier_decomposition,
    calibration_error,
    cox_recalibration,
    reliability_by_chance,
)
from credence.statistics.selective_prediction import risk_curve, selective_measures
from credence.statistics.uncertainty import Array, decompose_uncertainty

RESAMPLES = 1000
SCORES = ("accuracy", "balanced_accuracy", "f1", "auroc", "auprc", "log_loss", "brier")
NO_METRIC_NAME = re.compile(r"[^/\w.\- :]")
THRESHOLDS = np.linspace(0.01, 0.99, 99)


class CalibrationReport(StrictModel):
    """How far probabilities are from meaning what they say, and how far chance alone would put them."""

    errors: dict[str, Measure]
    brier_parts: dict[str, Measure]
    chance: ChanceLevel
    table: list[ReliabilityBin]
    raw_log_loss: Measure

    def within_chance(self) -> bool:
        """Whether the ECE is one that a perfectly calibrated predictor shows in 19 of 20 samples of these rows."""
        return (self.errors["ece"].value or 0.0) <= self.chance.high


class Curves(StrictModel):
    """Points of the figures: pairs of (across, up) lists, and the histogram of probabilities of (no, yes) rows.

    `parts`: aleatoric and epistemic bits of some right and some wrong answers, where there are several draws.
    """

    roc: tuple[list[float], list[float]]
    precision_recall: tuple[list[float], list[float]]
    risk: dict[str, tuple[list[float], list[float]]]
    net_benefit: tuple[list[float], list[float], list[float]]
    histogram: tuple[list[int], list[int]]
    parts: dict[str, tuple[list[float], list[float]]] = {}


class Report(StrictModel):
    """What was measured on the test rows, the winner's figures in full and every candidate's in short."""

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
        """The candidates side by side, as text: metric and log-loss with 95 % intervals, AUROC, ECE and cost."""
        lines = []
        for c in self.candidates:
            line = {"candidate": c.title if c.role == "candidate" else f"{c.title} ({c.role})"}
            line |= {METRICS[m].title: c.scores[m].text() for m in dict.fromkeys((self.metric, *COMPARED))}
            lines.append(line | {"fit s": format_number(c.fit_seconds), "ms per row": format_number(c.milliseconds)})
        return pd.DataFrame(lines)

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
            "rows": self.rows, "share_of_yes": self.yes / self.rows, "threshold": self.operating.threshold,
            "ece_by_chance": self.calibration.chance.high, "raw_log_loss": self.calibration.raw_log_loss.value,
            "set_size": self.conformal.mean_size, "set_empty": self.conformal.empty,
            "set_double": self.conformal.double,
            "uncertainty": self.uncertainty.total, "epistemic": self.uncertainty.epistemic,
            "aleatoric": self.uncertainty.aleatoric, "fit_seconds": self.cost.fit_seconds,
            "cpu_seconds": self.cost.cpu_seconds, "passes": self.cost.passes,
        }  # fmt: skip


def _ends(m: Measure) -> list[tuple[str, float | None]]:
    return [("", m.value), ("_low", m.low), ("_high", m.high)]


def build_report(
    contenders: list[Predictor], winner: int, champion: Predictor | None, rows: pd.DataFrame, metric: MetricName,
    resamples: int = RESAMPLES, seed: int = 0, elsewhere: pd.DataFrame | None = None,
) -> Report:  # fmt: skip
    """Measure all contenders, the champion and a constant on the test rows (row_id, group, label, key and inputs).

    `elsewhere` holds the sets of `credence.data.shift_sets`, on which the winner is measured too.
    All intervals come from the same resamples of keys, so that two figures of one report can be compared.
    """
    best, y = contenders[winner], rows["label"].to_numpy()
    keys = rows["key"].tolist() if rows["key"].duplicated().any() else None
    w = bootstrap_weights(keys, len(rows), resamples, seed)
    draws, facts = best.draws(rows), best.facts
    p = draws.mean(0)
    yes = p >= facts.threshold
    said, learned = best.model.findings(facts.schema_.select(rows)), trim_training_record(best.model.learned())
    named, doubted = tuple(dict.fromkeys((metric, *SCORES))), uncertainty_scores(draws, said)
    return Report(
        task=facts.task, question=facts.question, answers=facts.answers, version=facts.version, metric=metric,
        rows=len(rows), yes=int(y.sum()), keys=rows["key"].nunique(), resamples=resamples, winner=best.model.title(),
        candidates=candidates(contenders, winner, champion, rows, metric, w),
        scores={m: score_with_interval(m, p, yes, y, w) for m in named},
        calibration=_calibrated(best, rows, p, y, w, seed),
        operating=OperatingPoint.at(facts.threshold, p, yes, y, w),
        groups=measure_by_group(rows["group"], list(dict.fromkeys((metric, *COMPARED))), p, yes, y, w),
        selective={by: measure_with_intervals(selective_measures(doubt, yes != y), w) for by, doubt in doubted.items()},
        conformal=ConformalReport.of(
            facts.conformal.sets(p), y, 1 - facts.conformal.alpha, facts.answers, rows["group"]
        ),
        uncertainty=UncertaintyReport.of(draws), cost=CostReport.of(best, rows, said.get("k_used")),
        curves=_curves(draws, yes, y, doubted), guarded=flagged_share(best, rows, w),
        code=CodeLength.of(p, y, learned.model_bits), evidence=EvidenceReport.of(said, yes != y),
        order=OrderReport.of(said, y, w), learned=learned, shifts=evaluate_shift_sets(best, elsewhere, doubted, w, seed),
    )  # fmt: skip


def _calibrated(
    predictor: Predictor, rows: pd.DataFrame, p: Array, y: NDArray[Any], w: NDArray[Any], seed: int
) -> CalibrationReport:
    raw = predictor.model.draws(predictor.facts.schema_.select(rows)).mean(0)
    table, chance = reliability_by_chance(p, y, seed)
    raw_loss = score_with_interval("log_loss", raw, raw >= 0.5, y, w)
    return CalibrationReport(
        errors=measure_with_intervals(calibration_error(p, y), w, centred=True) | measure_with_intervals(cox_recalibration(p, y), w),
        brier_parts=measure_with_intervals(brier_decomposition(p, y), w, centred=True), chance=chance, table=table, raw_log_loss=raw_loss,
    )  # fmt: skip


def _curves(draws: Array, yes: Bools, y: NDArray[Any], doubted: dict[str, Array]) -> Curves:
    p, wrong = draws.mean(0), yes != y
    gain, always = curves.net_benefit(p, y, THRESHOLDS)
    return Curves(
        roc=_pair(*curves.downsample(*curves.roc(p, y))),
        precision_recall=_pair(*curves.downsample(*curves.precision_recall(p, y))),
        risk={by: _pair(*risk_curve(doubt, wrong)) for by, doubt in doubted.items()},
        net_benefit=(THRESHOLDS.tolist(), gain.tolist(), always.tolist()),
        histogram=(curves.histogram(p, y)[0].tolist(), curves.histogram(p, y)[1].tolist()),
        parts=_parts(draws, wrong) if len(draws) > 1 else {},
    )  # fmt: skip


def _parts(draws: Array, wrong: Bools) -> dict[str, tuple[list[float], list[float]]]:
    _, epistemic, aleatoric = decompose_uncertainty(draws)
    named = {"right": ~wrong, "wrong": wrong}
    return {n: _pair(*curves.downsample(aleatoric[rows], epistemic[rows])) for n, rows in named.items() if rows.any()}


def _pair(across: Array, up: Array) -> tuple[list[float], list[float]]:
    return across.round(5).tolist(), up.round(5).tolist()
