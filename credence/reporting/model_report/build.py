"""Measure all candidates on the test rows and build the report."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.predictor import Predictor, PredictorInfo
from credence.reporting.measure import measure_by_group, measure_with_intervals, score_with_interval
from credence.reporting.model_report.candidates import COMPARED, candidates
from credence.reporting.model_report.model_internals import (
    CodeLength,
    EvidenceReport,
    OrderReport,
    trim_training_record,
)
from credence.reporting.model_report.report import SCORES, CalibrationReport, Curves, Report
from credence.reporting.model_report.sections import ConformalReport, CostReport, OperatingPoint, UncertaintyReport
from credence.reporting.model_report.shift_evaluation import (
    evaluate_shift_sets,
    flagged_share,
    uncertainty_scores,
)
from credence.statistics import curves
from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.calibration import Bools
from credence.statistics.metrics import MetricName
from credence.statistics.reliability import (
    brier_decomposition,
    calibration_error,
    cox_recalibration,
    reliability_by_chance,
)
from credence.statistics.selective_prediction import risk_curve, selective_measures
from credence.statistics.uncertainty import Array, decompose_uncertainty

RESAMPLES = 1000
THRESHOLDS = np.linspace(0.01, 0.99, 99)


def build_report(
    contenders: list[Predictor],
    winner: int,
    champion: Predictor | None,
    rows: pd.DataFrame,
    metric: MetricName,
    resamples: int = RESAMPLES,
    seed: int = 0,
    elsewhere: pd.DataFrame | None = None,
) -> Report:
    """Measure all candidates, the champion and a constant on the test rows; all intervals share their resamples.

    Args:
        contenders: The calibrated candidates.
        winner: Index of the challenger among them.
        champion: The predictor in production; None if there is none.
        rows: Test rows (row_id, group, label, key and inputs).
        metric: The gate's metric.
        elsewhere: Rows of shift sets (`credence.data.shift_sets`), on which the winner is measured too.
    """
    best, y = contenders[winner], rows["label"].to_numpy()
    keys = rows["key"].tolist() if rows["key"].duplicated().any() else None
    w = bootstrap_weights(keys, len(rows), resamples, seed)
    draws, info = best.draws(rows), best.info
    p = draws.mean(0)
    yes = p >= info.threshold
    said = best.model.row_diagnostics(info.schema_.select(rows))
    named, doubts = tuple(dict.fromkeys((metric, *SCORES))), uncertainty_scores(draws, said)
    return Report(
        **_identity(info, rows),
        metric=metric,
        resamples=resamples,
        winner=best.model.display_name(),
        candidates=candidates(contenders, winner, champion, rows, metric, w),
        scores={m: score_with_interval(m, p, yes, y, w) for m in named},
        calibration=_calibrated(best, rows, p, y, w, seed),
        operating=OperatingPoint.at(info.threshold, p, yes, y, w),
        groups=measure_by_group(rows["group"], list(dict.fromkeys((metric, *COMPARED))), p, yes, y, w),
        selective={by: measure_with_intervals(selective_measures(doubt, yes != y), w) for by, doubt in doubts.items()},
        conformal=ConformalReport.of(info.conformal.sets(p), y, 1 - info.conformal.alpha, info.answers, rows["group"]),
        uncertainty=UncertaintyReport.of(draws),
        cost=CostReport.of(best, rows, said.get("k_used")),
        curves=_curves(draws, yes, y, doubts),
        guarded=flagged_share(best, rows, w),
        **_training(best, p, y) | {"evidence": EvidenceReport.of(said, yes != y), "order": OrderReport.of(said, y, w)},
        shifts=evaluate_shift_sets(best, elsewhere, doubts, w, seed),
    )


def _identity(info: PredictorInfo, rows: pd.DataFrame) -> dict[str, Any]:
    about = {"task": info.task, "question": info.question, "answers": info.answers, "version": info.version}
    return about | {"rows": len(rows), "yes": int(rows["label"].sum()), "keys": rows["key"].nunique()}


def _training(predictor: Predictor, p: Array, y: NDArray[Any]) -> dict[str, Any]:
    learned = trim_training_record(predictor.model.training_record())
    return {"learned": learned, "code": CodeLength.of(p, y, learned.model_bits)}


def _calibrated(
    predictor: Predictor, rows: pd.DataFrame, p: Array, y: NDArray[Any], w: NDArray[Any], seed: int
) -> CalibrationReport:
    raw = predictor.model.draws(predictor.info.schema_.select(rows)).mean(0)
    table, chance = reliability_by_chance(p, y, seed)
    raw_loss = score_with_interval("log_loss", raw, raw >= 0.5, y, w)
    return CalibrationReport(
        errors=measure_with_intervals(calibration_error(p, y), w, centred=True)
        | measure_with_intervals(cox_recalibration(p, y), w),
        brier_parts=measure_with_intervals(brier_decomposition(p, y), w, centred=True),
        chance=chance,
        table=table,
        raw_log_loss=raw_loss,
    )


def _curves(draws: Array, yes: Bools, y: NDArray[Any], doubts: dict[str, Array]) -> Curves:
    p, wrong = draws.mean(0), yes != y
    gain, always = curves.net_benefit(p, y, THRESHOLDS)
    return Curves(
        roc=_pair(*curves.downsample(*curves.roc(p, y))),
        precision_recall=_pair(*curves.downsample(*curves.precision_recall(p, y))),
        risk={by: _pair(*risk_curve(doubt, wrong)) for by, doubt in doubts.items()},
        net_benefit=(THRESHOLDS.tolist(), gain.tolist(), always.tolist()),
        histogram=(curves.histogram(p, y)[0].tolist(), curves.histogram(p, y)[1].tolist()),
        parts=_parts(draws, wrong) if len(draws) > 1 else {},
    )


def _parts(draws: Array, wrong: Bools) -> dict[str, tuple[list[float], list[float]]]:
    _, epistemic, aleatoric = decompose_uncertainty(draws)
    named = {"right": ~wrong, "wrong": wrong}
    return {n: _pair(*curves.downsample(aleatoric[rows], epistemic[rows])) for n, rows in named.items() if rows.any()}


def _pair(across: Array, up: Array) -> tuple[list[float], list[float]]:
    return across.round(5).tolist(), up.round(5).tolist()
