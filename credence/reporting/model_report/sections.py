"""Sections of a report on the answers: operating point, conformal sets, uncertainty and cost."""

import time
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.predictor import Predictor
from credence.reporting.measure import Measure, finite_or_none, score_with_interval
from credence.statistics.calibration import Bools
from credence.statistics.uncertainty import Array, decompose_uncertainty, draw_interval

CALLS = 30
SECONDS_PER_BATCH = 2.0
CLINICAL = {"sensitivity": "recall", "specificity": "specificity", "ppv": "precision", "npv": "npv"}


class OperatingPoint(StrictModel):
    """Confusion counts and rates at the threshold from which the answer is yes."""

    threshold: float
    true_yes: int
    false_yes: int
    true_no: int
    false_no: int
    rates: dict[str, Measure]

    @classmethod
    def at(cls, threshold: float, p: Array, yes: Bools, y: NDArray[Any], w: NDArray[Any]) -> Self:
        """Count and rate the answers; `n` of each rate is its denominator.

        Args:
            threshold: Probability from which the answer is yes.
            p: Probabilities of yes, shape (rows,).
            yes: Labels given, shape (rows,).
            y: True labels 0 and 1, shape (rows,).
            w: Bootstrap weights, shape (resamples, rows).
        """
        truth = y == 1
        rows = {"sensitivity": truth, "specificity": ~truth, "ppv": yes, "npv": ~yes}
        rates = {
            k: score_with_interval(m, p, yes, y, w).model_copy(update={"n": int(rows[k].sum())})
            for k, m in CLINICAL.items()
        }
        return cls(
            threshold=threshold,
            rates=rates,
            true_yes=int((yes & truth).sum()),
            false_yes=int((yes & ~truth).sum()),
            true_no=int((~yes & ~truth).sum()),
            false_no=int((~yes & truth).sum()),
        )


class CoverageRow(StrictModel):
    """Share of sets that hold the true answer among these rows, with its standard error."""

    among: str
    rows: int
    share: float
    error: float


class ConformalReport(StrictModel):
    """Coverage and size of the conformal sets, and the promised coverage."""

    promised: float
    table: list[CoverageRow]
    mean_size: float
    empty: float
    double: float

    @classmethod
    def of(cls, sets: Bools, y: NDArray[Any], promised: float, answers: tuple[str, str], groups: pd.Series) -> Self:
        """Measure the sets over all rows, over the rows of each label, and over each group if there are several.

        Args:
            sets: Conformal sets, shape (rows, 2), columns no and yes.
            y: True labels 0 and 1, shape (rows,).
            promised: Promised coverage, 1 - alpha.
            answers: Names of (no, yes).
            groups: Group of each row.
        """
        held, sizes = sets[np.arange(len(y)), y], sets.sum(1)
        parts = {"all rows": np.full(len(y), True)} | {a: y == c for c, a in enumerate(answers)}
        if groups.nunique() > 1:
            parts |= {f"group {g}": groups.to_numpy() == g for g in groups.value_counts().index}
        table = [_coverage(name, held[rows]) for name, rows in parts.items() if rows.any()]
        return cls(
            promised=promised,
            table=table,
            mean_size=float(sizes.mean()),
            empty=float((sizes == 0).mean()),
            double=float((sizes == 2).mean()),
        )


def _coverage(among: str, held: Bools) -> CoverageRow:
    share = float(held.mean())
    smoothed = (held.sum() + 1) / (len(held) + 2)
    return CoverageRow(
        among=among, rows=len(held), share=share, error=float(np.sqrt(smoothed * (1 - smoothed) / len(held)))
    )


class UncertaintyReport(StrictModel):
    """Mean uncertainty of the answers in bits; more training data could reduce the epistemic part."""

    draws: int
    total: float
    epistemic: float | None
    aleatoric: float | None
    interval_width: float | None

    @classmethod
    def of(cls, draws: Array) -> Self:
        """Measure calibrated draws (draws, rows); a single draw has no epistemic part."""
        low, high = draw_interval(draws)
        total, epistemic, aleatoric = (finite_or_none(part.mean()) for part in decompose_uncertainty(draws))
        return cls(
            draws=len(draws),
            total=total or 0.0,
            epistemic=epistemic,
            aleatoric=aleatoric,
            interval_width=finite_or_none((high - low).mean()),
        )


class CostReport(StrictModel):
    """Cost of training and prediction.

    Attributes:
        fit_seconds: Seconds to fit.
        batches: Median and 95th percentile of milliseconds per row, for batches of 1 and 32 rows.
        cpu_seconds: Processor time to fit, if known.
        passes: Mean number of forward passes per row.
    """

    fit_seconds: float
    batches: dict[int, tuple[float, float]]
    cpu_seconds: float | None = None
    passes: float = 1

    @classmethod
    def of(cls, predictor: Predictor, rows: pd.DataFrame, used: Array | None = None) -> Self:
        """Time repeated calls of `predict` on these rows; `used` is the number of passes per row, if known."""
        learned = predictor.model.training_record()
        passes = learned.passes if used is None else float(used.mean())
        timed = {batch: predict_milliseconds(predictor, rows, batch) for batch in (1, 32)}
        batches = {b: (float(np.quantile(t, 0.5)), float(np.quantile(t, 0.95))) for b, t in timed.items()}
        return cls(
            fit_seconds=predictor.info.fit_seconds, batches=batches, cpu_seconds=learned.cpu_seconds, passes=passes
        )


def predict_milliseconds(predictor: Predictor, rows: pd.DataFrame, batch: int, calls: int = CALLS) -> list[float]:
    """Milliseconds per row of each call, after one call to warm up; stops after 2 seconds."""
    predictor.predict(rows.head(batch))
    taken: list[float] = []
    for call in range(calls):
        part = rows.iloc[[(call * batch + i) % len(rows) for i in range(batch)]]
        start = time.perf_counter()
        predictor.predict(part)
        taken.append((time.perf_counter() - start) * 1000 / batch)
        if sum(taken) * batch > SECONDS_PER_BATCH * 1000:
            break
    return taken
