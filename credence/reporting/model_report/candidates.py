"""The table of candidates: one line per candidate, champion and constant."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.predictor import Predictor
from credence.reporting.measure import Measure, score_with_interval
from credence.reporting.model_report.sections import predict_milliseconds
from credence.statistics.calibration import Bools
from credence.statistics.uncertainty import Array

COMPARED = ("log_loss", "auroc", "ece")


class Candidate(StrictModel):
    """One line of the table; the constant answers every row with the share of yes."""

    title: str
    role: Literal["winner", "candidate", "champion", "constant"]
    scores: dict[str, Measure]
    fit_seconds: float | None = None
    milliseconds: float | None = None
    prequential_bits: float | None = None


def candidates(
    contenders: list[Predictor],
    winner: int,
    champion: Predictor | None,
    rows: pd.DataFrame,
    metric: str,
    w: NDArray[Any],
) -> list[Candidate]:
    """All that answered the test rows, lowest log-loss first; the constant comes last.

    Args:
        contenders: The calibrated candidates.
        winner: Index of the challenger among them.
        champion: The predictor in production; None if there is none.
        rows: Test rows.
        metric: The gate's metric.
        w: Bootstrap weights, shape (resamples, rows).
    """
    lines = [_candidate(c, "winner" if i == winner else "candidate", rows, metric, w) for i, c in enumerate(contenders)]
    if champion is not None:
        lines.append(_candidate(champion, "champion", rows, metric, w))
    base = np.full(len(rows), contenders[winner].info.base_rate)
    share = Candidate(title="share of yes", role="constant", scores=_compared(base, base >= 0.5, rows, metric, w))
    return [*sorted(lines, key=lambda c: c.scores["log_loss"].value or 0.0), share]


def _candidate(
    predictor: Predictor,
    role: Literal["winner", "candidate", "champion"],
    rows: pd.DataFrame,
    metric: str,
    w: NDArray[Any],
) -> Candidate:
    p = predictor.draws(rows).mean(0)
    scores = _compared(p, p >= predictor.info.threshold, rows, metric, w)
    return Candidate(
        title=predictor.model.display_name(),
        role=role,
        scores=scores,
        fit_seconds=predictor.info.fit_seconds,
        milliseconds=float(np.median(predict_milliseconds(predictor, rows, 32, calls=5))),
        prequential_bits=predictor.model.prequential_bits,
    )


def _compared(p: Array, yes: Bools, rows: pd.DataFrame, metric: str, w: NDArray[Any]) -> dict[str, Measure]:
    y = rows["label"].to_numpy()
    return {m: score_with_interval(m, p, yes, y, w) for m in dict.fromkeys((metric, *COMPARED))}
