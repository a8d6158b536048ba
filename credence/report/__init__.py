"""Everything that was measured on the test rows, as one JSON document that figures, page and card read."""

import re
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.bootstrap import weights
from credence.calibration import Bools
from credence.kinds import Strict
from credence.metrics import METRICS, Name
from credence.predictor import Predictor
from credence.report import curves
from credence.report.intervals import Measure, measures, scored
from credence.report.reliability import Bin, Chance, by_chance, calibration_error, cox, murphy
from credence.report.sections import Conformal, Cost, Group, Operating, Uncertainty, by_group, milliseconds
from credence.report.selective import risk_curve, selective
from credence.report.wording import number
from credence.uncertainty import Array, split

RESAMPLES = 1000
SCORES = ("accuracy", "balanced_accuracy", "f1", "auroc", "auprc", "log_loss", "brier")
COMPARED = ("log_loss", "auroc", "ece")
NO_METRIC_NAME = re.compile(r"[^/\w.\- :]")
THRESHOLDS = np.linspace(0.01, 0.99, 99)


class Candidate(Strict):
    """One line of the comparison; the constant says the share of yes to every row."""

    title: str
    role: Literal["winner", "candidate", "champion", "constant"]
    scores: dict[str, Measure]
    fit_seconds: float | None = None
    milliseconds: float | None = None


class Calibrated(Strict):
    """How far probabilities are from meaning what they say, and how far chance alone would put them."""

    errors: dict[str, Measure]
    brier_parts: dict[str, Measure]
    chance: Chance
    table: list[Bin]
    raw_log_loss: Measure

    def within_chance(self) -> bool:
        """Whether the ECE is one that a perfectly calibrated predictor shows in 19 of 20 samples of these rows."""
        return (self.errors["ece"].value or 0.0) <= self.chance.high


class Curves(Strict):
    """Points of the figures: pairs of (across, up) lists, and the histogram of probabilities of (no, yes) rows."""

    roc: tuple[list[float], list[float]]
    precision_recall: tuple[list[float], list[float]]
    risk: dict[str, tuple[list[float], list[float]]]
    net_benefit: tuple[list[float], list[float], list[float]]
    histogram: tuple[list[int], list[int]]


class Report(Strict):
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
    calibration: Calibrated
    operating: Operating
    groups: list[Group]
    selective: dict[str, dict[str, Measure]]
    conformal: Conformal
    uncertainty: Uncertainty
    cost: Cost
    curves: Curves

    def table(self) -> pd.DataFrame:
        """The candidates side by side, as text: metric and log-loss with 95 % intervals, AUROC, ECE and cost."""
        lines = []
        for c in self.candidates:
            line = {"candidate": c.title if c.role == "candidate" else f"{c.title} ({c.role})"}
            line |= {METRICS[m].title: c.scores[m].text() for m in dict.fromkeys((self.metric, *COMPARED))}
            lines.append(line | {"fit s": number(c.fit_seconds), "ms per row": number(c.milliseconds)})
        return pd.DataFrame(lines)

    def flat(self) -> dict[str, float]:
        """Every defined number under a path such as test/auroc and test/auroc_low, for a metrics tracker."""
        measured: dict[str, Measure] = self.scores | self.calibration.errors | self.operating.rates
        measured = measured | {f"brier_{k}": m for k, m in self.calibration.brier_parts.items()}
        measured = measured | {f"{by}/{k}": m for by, found in self.selective.items() for k, m in found.items()}
        measured = measured | {f"group/{g.name}/{k}": m for g in self.groups for k, m in g.scores.items()}
        flat = {k + end: v for k, m in measured.items() for end, v in _ends(m)} | self._plain()
        return {f"test/{NO_METRIC_NAME.sub('_', k)}": v for k, v in flat.items() if v is not None}

    def _plain(self) -> dict[str, float | None]:
        found: dict[str, float | None] = {f"coverage/{c.among}": c.share for c in self.conformal.table}
        found |= {
            f"milliseconds/batch_{b}_p{q}": t[i] for b, t in self.cost.batches.items() for i, q in enumerate((50, 95))
        }
        return found | {
            "rows": self.rows, "share_of_yes": self.yes / self.rows, "threshold": self.operating.threshold,
            "ece_by_chance": self.calibration.chance.high, "raw_log_loss": self.calibration.raw_log_loss.value,
            "set_size": self.conformal.mean_size, "set_empty": self.conformal.empty,
            "set_double": self.conformal.double,
            "uncertainty": self.uncertainty.total, "epistemic": self.uncertainty.epistemic,
            "aleatoric": self.uncertainty.aleatoric, "fit_seconds": self.cost.fit_seconds,
        }  # fmt: skip


def _ends(m: Measure) -> list[tuple[str, float | None]]:
    return [("", m.value), ("_low", m.low), ("_high", m.high)]


def build_report(
    contenders: list[Predictor], winner: int, champion: Predictor | None, rows: pd.DataFrame, metric: Name,
    resamples: int = RESAMPLES, seed: int = 0,
) -> Report:  # fmt: skip
    """Measure all contenders, the champion and a constant on the test rows (row_id, group, label, key and inputs).

    All intervals come from the same resamples of keys, so that two figures of one report can be compared.
    """
    best, y = contenders[winner], rows["label"].to_numpy()
    keys = rows["key"].tolist() if rows["key"].duplicated().any() else None
    w = weights(keys, len(rows), resamples, seed)
    draws = best.draws(rows)
    p, facts = draws.mean(0), best.facts
    yes = p >= facts.threshold
    named = tuple(dict.fromkeys((metric, *SCORES)))
    doubts = _doubts(draws)
    return Report(
        task=facts.task, question=facts.question, answers=facts.answers, version=facts.version, metric=metric,
        rows=len(rows), yes=int(y.sum()), keys=rows["key"].nunique(), resamples=resamples, winner=best.model.title(),
        candidates=_candidates(contenders, winner, champion, rows, metric, w),
        scores={m: scored(m, p, yes, y, w) for m in named},
        calibration=_calibrated(best, rows, p, y, w, seed),
        operating=Operating.at(facts.threshold, p, yes, y, w),
        groups=by_group(rows["group"], list(dict.fromkeys((metric, *COMPARED))), p, yes, y, w),
        selective={by: measures(selective(doubt, yes != y), w) for by, doubt in doubts.items()},
        conformal=Conformal.of(
            facts.conformal.sets(p), y, 1 - facts.conformal.alpha, facts.answers, rows["group"]
        ),
        uncertainty=Uncertainty.of(draws), cost=Cost.of(best, rows), curves=_curves(p, yes, y, doubts),
    )  # fmt: skip


def _doubts(draws: Array) -> dict[str, Array]:
    total, epistemic, _ = split(draws)
    return {"total": total, "epistemic": epistemic} if len(draws) > 1 else {"total": total}


def _candidates(
    contenders: list[Predictor],
    winner: int,
    champion: Predictor | None,
    rows: pd.DataFrame,
    metric: str,
    w: NDArray[Any],
) -> list[Candidate]:
    lines = [_candidate(c, "winner" if i == winner else "candidate", rows, metric, w) for i, c in enumerate(contenders)]
    if champion is not None:
        lines.append(_candidate(champion, "champion", rows, metric, w))
    base = np.full(len(rows), contenders[winner].facts.base_rate)
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
    scores = _compared(p, p >= predictor.facts.threshold, rows, metric, w)
    return Candidate(
        title=predictor.model.title(), role=role, scores=scores, fit_seconds=predictor.facts.fit_seconds,
        milliseconds=float(np.median(milliseconds(predictor, rows, 32, calls=5))),
    )  # fmt: skip


def _compared(p: Array, yes: Bools, rows: pd.DataFrame, metric: str, w: NDArray[Any]) -> dict[str, Measure]:
    y = rows["label"].to_numpy()
    return {m: scored(m, p, yes, y, w) for m in dict.fromkeys((metric, *COMPARED))}


def _calibrated(
    predictor: Predictor, rows: pd.DataFrame, p: Array, y: NDArray[Any], w: NDArray[Any], seed: int
) -> Calibrated:
    raw = predictor.model.draws(predictor.facts.schema_.select(rows)).mean(0)
    table, chance = by_chance(p, y, seed)
    raw_loss = scored("log_loss", raw, raw >= 0.5, y, w)
    return Calibrated(
        errors=measures(calibration_error(p, y), w, centred=True) | measures(cox(p, y), w),
        brier_parts=measures(murphy(p, y), w, centred=True), chance=chance, table=table, raw_log_loss=raw_loss,
    )  # fmt: skip


def _curves(p: Array, yes: Bools, y: NDArray[Any], doubts: dict[str, Array]) -> Curves:
    gain, always = curves.net_benefit(p, y, THRESHOLDS)
    return Curves(
        roc=_pair(*curves.thin(*curves.roc(p, y))),
        precision_recall=_pair(*curves.thin(*curves.precision_recall(p, y))),
        risk={by: _pair(*risk_curve(doubt, yes != y)) for by, doubt in doubts.items()},
        net_benefit=(THRESHOLDS.tolist(), gain.tolist(), always.tolist()),
        histogram=(curves.histogram(p, y)[0].tolist(), curves.histogram(p, y)[1].tolist()),
    )  # fmt: skip


def _pair(across: Array, up: Array) -> tuple[list[float], list[float]]:
    return across.round(5).tolist(), up.round(5).tolist()
