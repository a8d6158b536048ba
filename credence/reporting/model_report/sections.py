"""The sections of a report that look at answers: the operating point, groups, conformal sets, doubt and cost."""

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
    """What the answers are worth at the threshold from which the answer is yes."""

    threshold: float
    true_yes: int
    false_yes: int
    true_no: int
    false_no: int
    rates: dict[str, Measure]

    @classmethod
    def at(cls, threshold: float, p: Array, yes: Bools, y: NDArray[Any], w: NDArray[Any]) -> Self:
        """Confusion counts, and each rate with the rows that are its denominator."""
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
    """How often the set holds the truth among these rows, with the standard error of that share."""

    among: str
    rows: int
    share: float
    error: float


class ConformalReport(StrictModel):
    """Whether the sets hold the truth as often as promised, and how much they say."""

    promised: float
    table: list[CoverageRow]
    mean_size: float
    empty: float
    double: float

    @classmethod
    def of(cls, sets: Bools, y: NDArray[Any], promised: float, answers: tuple[str, str], groups: pd.Series) -> Self:
        """Over all rows, the rows of each answer, and each group where there are several."""
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
    """How unsure the answers are on average, in bits, and what of it more training data could remove (epistemic)."""

    draws: int
    total: float
    epistemic: float | None
    aleatoric: float | None
    interval_width: float | None

    @classmethod
    def of(cls, draws: Array) -> Self:
        """From calibrated draws (draws, rows); one draw says nothing about its own doubt."""
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
    """Seconds to fit, and milliseconds per row that `predict` takes in batches of one and of 32.

    cpu_seconds: processor time of fitting, where known. passes: forward passes per row, on average.
    """

    fit_seconds: float
    batches: dict[int, tuple[float, float]]
    cpu_seconds: float | None = None
    passes: float = 1

    @classmethod
    def of(cls, predictor: Predictor, rows: pd.DataFrame, used: Array | None = None) -> Self:
        """Median and 95th percentile over repeated calls on these rows; `used` is what a kind counted per row."""
        learned = predictor.model.training_record()
        passes = learned.passes if used is None else float(used.mean())
        timed = {batch: predict_milliseconds(predictor, rows, batch) for batch in (1, 32)}
        batches = {b: (float(np.quantile(t, 0.5)), float(np.quantile(t, 0.95))) for b, t in timed.items()}
        return cls(
            fit_seconds=predictor.facts.fit_seconds, batches=batches, cpu_seconds=learned.cpu_seconds, passes=passes
        )


def predict_milliseconds(predictor: Predictor, rows: pd.DataFrame, batch: int, calls: int = CALLS) -> list[float]:
    """Milliseconds per row of each call after a first one that warms up; it stops early where calls are slow."""
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
