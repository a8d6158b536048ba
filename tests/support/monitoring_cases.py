"""Windows of a log as `predictions.reading.joined` gives them, made of rows that a predictor really answers."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.model import Model
from credence.predictor import Predictor, TaskInfo
from credence.production.answer_records import build_records
from credence.production.monitoring import Monitoring
from credence.production.monitoring.performance import ScoredRows
from credence.production.monitoring.run import monitor_window
from credence.production.monitoring.summary import MonitoringSummary
from credence.security.keyed_hash import KeyedHasher
from credence.statistics.calibration import Calibration
from credence.statistics.uncertainty import sigmoid
from tests.support.small_kinds import small

START = pd.Timestamp("2025-03-01", tz="UTC")
TABLE = Columns(label="ill", positive="yes", group="clinic")
TEXTS = Columns(label="good", positive=1, text="review")
WORDS = ["the", "parcel", "came", "on", "monday", "and", "was", "blue", "with", "paper", "inside", "very", "big"]


def patients(n: int, seed: int) -> pd.DataFrame:
    """Rows with numbers, of which some are missing, a category, a date, a group."""
    random = np.random.default_rng(seed)
    age, dose = random.normal(50, 10, n), random.normal(3, 1, n)
    seen = pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 60_000_000, n), unit="s")
    return pd.DataFrame(
        {
            "age": age,
            "dose, mg": np.where(random.random(n) < 0.1, np.nan, dose),
            "key": random.choice(["red", "blue"], n),
            "first seen": seen,
            "clinic": random.choice(["north", "south"], n),
            "ill": np.where(random.random(n) < sigmoid((age - 50) / 5), "yes", "no"),
        }
    )


def reviews(n: int, seed: int, words: list[str] = WORDS) -> pd.DataFrame:
    """Texts of ten words."""
    random = np.random.default_rng(seed)
    good = random.integers(0, 2, n)
    telling = np.where(good == 1, "fine", "awful")
    return pd.DataFrame({"review": [" ".join([*random.choice(words, 9), t]) for t in telling], "good": good})


def table(n: int = 600, seed: int = 1) -> pd.DataFrame:
    """Canonical rows of patients."""
    return to_canonical_rows(patients(n, seed), TABLE)


def texts(n: int = 600, seed: int = 1, words: list[str] = WORDS) -> pd.DataFrame:
    """Canonical rows of reviews."""
    return to_canonical_rows(reviews(n, seed, words), TEXTS)


@cache
def watched(kind: str = "logistic") -> Predictor:
    """A predictor of patients, or of reviews where its kind reads texts, that serves as version 3."""
    model = small(kind)
    rows = texts(900, 0) if model.reads == "text" else table(900, 0)
    return fitted(model, rows, None if model.reads == "text" else "clinic")


def fitted(model: Model, rows: pd.DataFrame, group: str | None) -> Predictor:
    """A predictor that learned from 700 of these rows."""
    train, calibration = rows[:700].reset_index(drop=True), rows[700:].reset_index(drop=True)
    model.fit(model_inputs(train), train["label"].to_numpy())
    about = TaskInfo(task="case", question="Is it so?", answers=("no", "yes"), group=group)
    return Predictor.calibrate(model, train, calibration, Calibration(), about).with_version("3")


def logged(predictor: Predictor, rows: pd.DataFrame, start: pd.Timestamp = START, **columns: Any) -> pd.DataFrame:
    """One request per row, a second apart, with the truth of every row."""
    hasher = KeyedHasher(b"key" * 11)
    answers, n = predictor.predict(rows), len(rows)
    made = pd.DataFrame(build_records("r", rows, answers, predictor.info, hasher=hasher, latency_ms=5.0))
    return made.assign(
        request_id=[f"{start.value:x}-{i}" for i in range(n)],
        row=0,
        time=start + pd.to_timedelta(np.arange(n), unit="s"),
        truth=rows["label"].to_numpy(float),
        answered_at=pd.NaT,
    ).assign(**columns)


def shown(predictor: Predictor, rows: pd.DataFrame) -> ScoredRows:
    """What the predictor showed on its test rows."""
    p = predictor.draws(rows).mean(0)
    return ScoredRows(p, p >= predictor.info.threshold, rows["label"].to_numpy(np.int64))


def said(
    rows: pd.DataFrame,
    predictor: Predictor | None = None,
    seed: int = 9,
    tested: pd.DataFrame | None = None,
    **section: Any,
) -> MonitoringSummary:
    """What monitoring says of these rows; unless given, the rows of the test are 400 others."""
    predictor = predictor or watched()
    make = texts if predictor.model.reads == "text" else table
    test = shown(predictor, make(400, seed) if tested is None else tested)
    return monitor_window(predictor, logged(predictor, rows), Monitoring(**section), test=test)
