"""Evaluation on shift sets: does the predictor notice that rows differ from training, and how good are its answers?"""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.data.shift_sets import SET_COLUMN
from credence.predictor import Predictor
from credence.reporting.measure import Measure, measure_with_intervals, score_with_interval
from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.calibration import Bools
from credence.statistics.selective_prediction import Statistic, error_auroc, risk_coverage
from credence.statistics.uncertainty import Array, decompose_uncertainty

SCORES = ("accuracy", "ece", "log_loss")
DETECTION_SCORES = 0.95
UNCERTAINTY_SCORES = {
    "total": "by total uncertainty",
    "epistemic": "by disagreement (epistemic)",
    "density": "by distance from training (density)",
}


class ShiftResult(StrictModel):
    """Measurements on one shift set.

    Attributes:
        name: Name of the set.
        rows: Number of its rows.
        labelled: Number of rows with a label.
        flagged: Share of rows with input warnings.
        told: By uncertainty score, how well it tells the set's rows from test rows. `auroc`, and `fpr95`: the share of
            test rows flagged at the threshold that flags 95 % of the set.
        scores: Metrics over the labelled rows.
    """

    name: str
    rows: int
    labelled: int
    flagged: Measure
    told: dict[str, dict[str, Measure]]
    scores: dict[str, Measure]

    @classmethod
    def of(cls, predictor: Predictor, rows: pd.DataFrame, test: dict[str, Array], w: NDArray[Any], seed: int) -> Self:
        """Measure one set.

        Args:
            predictor: The predictor.
            rows: Rows of one set (`credence.data.shift_sets`).
            test: Uncertainty scores of the test rows by name, each of shape (test rows,).
            w: Bootstrap weights of the test rows, shape (resamples, test rows).
            seed: Seed of the test rows' bootstrap; the set uses the next one.
        """
        own = bootstrap_weights(
            rows["key"].tolist() if rows["key"].duplicated().any() else None, len(rows), len(w), seed + 1
        )
        draws, found = predictor.draws(rows), predictor.model.row_diagnostics(predictor.info.schema_.select(rows))
        doubted = uncertainty_scores(draws, found)
        told = {by: measure_with_intervals(_told(test[by], doubted[by]), np.hstack([w, own])) for by in test}
        return cls(
            name=str(rows[SET_COLUMN].iloc[0]),
            rows=len(rows),
            labelled=int(rows["label"].notna().sum()),
            flagged=flagged_share(predictor, rows, own),
            told=told,
            scores=_scores(draws.mean(0), rows["label"].to_numpy(), own, predictor.info.threshold),
        )

    def measured(self) -> dict[str, Measure]:
        """The measures by name: flagged, auroc_total, fpr95_total, …, and the scores."""
        told = {f"{k}_{by}": m for by, found in self.told.items() for k, m in found.items()}
        return {"flagged": self.flagged, **told, **self.scores}


def evaluate_shift_sets(
    predictor: Predictor, rows: pd.DataFrame | None, test: dict[str, Array], w: NDArray[Any], seed: int
) -> list[ShiftResult]:
    """Measure every set in `rows`, in the order of their first rows."""
    if rows is None or rows.empty:
        return []
    parts = (rows[rows[SET_COLUMN] == name].reset_index(drop=True) for name in rows[SET_COLUMN].unique())
    return [ShiftResult.of(predictor, part, test, w, seed) for part in parts]


def uncertainty_scores(draws: Array, found: dict[str, Array]) -> dict[str, Array]:
    """Scores that should be high where answers are wrong: total and epistemic uncertainty, and 1 - density p-value.

    Args:
        draws: Calibrated draws, shape (draws, rows); one draw has no epistemic score.
        found: `Model.row_diagnostics` of the same rows; without `ood_pvalue` there is no density score.
    """
    total, epistemic, _ = decompose_uncertainty(draws)
    sparse = {"density": 1 - found["ood_pvalue"]} if "ood_pvalue" in found else {}
    return {"total": total} | ({"epistemic": epistemic} if len(draws) > 1 else {}) | sparse


def flagged_share(predictor: Predictor, rows: pd.DataFrame, w: NDArray[Any]) -> Measure:
    """Share of rows with input warnings."""
    strange = np.array([bool(why) for why in predictor.input_warnings(rows)], float)
    return measure_with_intervals(lambda w: {"flagged": w @ strange / w.sum(1)}, w)["flagged"]


def _told(test: Array, shifted: Array) -> Statistic:
    doubt, foreign = np.r_[test, shifted], np.r_[np.zeros(len(test), bool), np.ones(len(shifted), bool)]

    def statistic(w: NDArray[np.integer]) -> dict[str, Array]:
        rows, found = risk_coverage(doubt, foreign, w)
        return {"auroc": error_auroc(rows, found), "fpr95": false_alarms(rows, found)}

    return statistic


def false_alarms(rows: Array, found: Array) -> Array:
    """Smallest share of test rows above a threshold that keeps at least 95 % of the shifted rows above it.

    Args:
        rows: Cumulated rows from the least uncertain on, shape (resamples, distinct scores + 1).
        found: Cumulated shifted rows in the same order and shape.
    """
    others = rows - found
    caught = found[:, -1:] - found >= DETECTION_SCORES * found[:, -1:] - 1e-9
    share = (others[:, -1:] - others) / np.maximum(others[:, -1:], 1)
    return np.asarray(np.where(caught, share, 1.0).min(1))


def _scores(p: Array, label: Array, w: NDArray[Any], threshold: float) -> dict[str, Measure]:
    known: Bools = ~np.isnan(label)
    if not known.any():
        return {}
    p, y = p[known], label[known].astype(np.int64)
    return {m: score_with_interval(m, p, p >= threshold, y, w[:, known]) for m in SCORES}
