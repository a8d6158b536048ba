"""Small predictors that were really trained, with what a run would know about them; made once for all tests."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from credence.core.registry import ModelSpec
from credence.data.checks import Checks, Findings, check_rows
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.data.split import Split, assign_parts
from credence.evaluation.gate.guards import Guard
from credence.evaluation.gate.verdict import Verdict
from credence.model import TrainingRecord
from credence.predictor import Predictor, TaskInfo
from credence.reporting.model_report import Report, build_report
from credence.statistics.calibration import Calibration
from credence.statistics.metrics import Estimate
from credence.statistics.uncertainty import Array

TASK = TaskInfo(task="loans", question="Will it be repaid?", answers=("no", "yes"), group="branch")
COLUMNS = Columns(label="repaid", positive=1, group="branch")
KINDS = ("logistic", "random_forest")
WORDS = {1: ["superb", "lovely", "film"], 0: ["awful", "boring", "film"]}


def loans(n: int = 700, seed: int = 0) -> pd.DataFrame:
    """Raw rows with numbers, a category with a pipe in its name, missing cells and two branches."""
    random = np.random.default_rng(seed)
    income, debt = random.normal(size=n), random.normal(size=n)
    home = random.choice(["rents", "owns|partly"], n)
    odds = 1.5 * income - debt + np.where(home == "rents", -0.5, 0.5)
    repaid = (random.random(n) < 1 / (1 + np.exp(-odds))).astype(int)
    frame = pd.DataFrame({"income": income, "debt": debt, "home": home, "label": random.random(n), "repaid": repaid})
    frame.loc[::9, "debt"] = np.nan
    return frame.assign(branch=np.where(random.random(n) < 0.9, "north", "south"))


@cache
def parts() -> tuple[pd.DataFrame, pd.Series]:
    """Canonical rows and the part of each."""
    rows = to_canonical_rows(loans(), COLUMNS)
    return rows, assign_parts(rows, Split(test=0.3))


def part(name: str) -> pd.DataFrame:
    """The rows of one part."""
    rows, where = parts()
    return rows[where == name]


@cache
def predictor(kind: str = "logistic", folds: int = 5, **parameters: Any) -> Predictor:
    """A calibrated predictor of that kind."""
    train = part("train")
    model = ModelSpec(kind=kind, folds=folds, **parameters).build().fit(model_inputs(train), train["label"].to_numpy())
    return Predictor.calibrate(model, train, part("calibration"), Calibration(), TASK)


@cache
def text_predictor() -> tuple[Predictor, pd.DataFrame]:
    """A predictor of a text task, and its rows."""
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 160)
    texts = [" ".join([*random.choice(WORDS[int(y)], 4), f"number{i}"]) for i, y in enumerate(label)]
    raw = pd.DataFrame({"review": texts, "y": label})
    rows = to_canonical_rows(raw, Columns(label="y", positive=1, text="review"))
    model = ModelSpec(kind="tfidf", folds=1).build().fit(model_inputs(rows[:80]), rows["label"][:80].to_numpy())
    about = TaskInfo(task="films", question="Is it praise?", answers=("no", "yes"))
    return Predictor.calibrate(model, rows[:80], rows[80:120], Calibration(), about), rows[120:]


def telling(
    known: Predictor, findings: Callable[[pd.DataFrame], dict[str, Array]], learned: TrainingRecord | None = None
) -> Predictor:
    """The same predictor, whose model says these things of rows and of how it learned."""
    said = learned or known.model.training_record()

    class Telling(type(known.model)):  # type: ignore[misc]
        def row_diagnostics(self, X: pd.DataFrame) -> dict[str, Array]:
            return findings(X)

        def training_record(self) -> TrainingRecord:
            return said

    model = Telling.model_construct(**dict(known.model))
    model.__pydantic_private__ = known.model.__pydantic_private__
    return Predictor(model, known.info, known.reference, known.seen)


@cache
def report(resamples: int = 200) -> Report:
    """The report on two candidates, the second of which won, with the first as champion."""
    contenders = [predictor(kind) for kind in KINDS]
    return build_report(contenders, 0, contenders[1], part("test"), "accuracy", resamples=resamples)


def verdict(**changes: Any) -> Verdict:
    """A verdict as the gate might give it."""
    some = Estimate(value=0.8, low=0.75, high=0.85)
    fields: dict[str, Any] = {
        "outcome": "promote",
        "reason": "Surely better than the share of yes.",
        "metric": "accuracy",
        "challenger": some,
        "champion": None,
        "constant": some,
        "difference": None,
        "better_than_constant": some,
        "detectable": 0.0571,
        "rows": 210,
        "disputed": 0.06,
        "left_out": 0,
        "looks": 0,
        "level": 0.05,
        "level_left": 0.02,
        "mcnemar_p": None,
        "guards": [Guard(name="coverage", ok=True, message="Sets hold the truth as often as promised.")],
    }
    return Verdict(**{**fields, **changes})


def findings() -> Findings:
    """What the checks say about the rows."""
    return check_rows(*parts(), Checks())
