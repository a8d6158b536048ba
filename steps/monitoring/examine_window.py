"""Examine a window of the prediction log for drift and loss of performance."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from zenml import ModelVersionResponse, step
from zenml.types import HTMLString

from credence.core.errors import InputError
from credence.predictor import Predictor
from credence.production.monitoring import Monitoring
from credence.production.monitoring.evidently import evidently_html
from credence.production.monitoring.html_page import render_monitoring
from credence.production.monitoring.martingale import MartingaleMemory
from credence.production.monitoring.performance import ScoredRows
from credence.production.monitoring.run import monitor_window
from credence.production.monitoring.summary import MonitoringSummary
from credence.production.monitoring.window import Window
from credence.statistics.metrics import MetricName
from credence.statistics.uncertainty import Array
from steps.shared import tracking
from steps.shared.model_versions import champion_version, load_predictor


@step(enable_cache=False)  # reads the registry
def examine_window(
    window: pd.DataFrame, reading: dict[str, Any], task: str, section: Monitoring, metric: MetricName, margin: float
) -> tuple[
    Annotated[MonitoringSummary, "health"], Annotated[HTMLString, "monitoring"], Annotated[HTMLString, "evidently"]
]:
    """Compute the verdict on a window, its HTML page, and Evidently's report on the same rows."""
    version = champion_version(task)
    if version is None:
        raise InputError(f"{task!r} has no champion yet; run python run.py --pipeline training --task {task} first.")
    predictor = load_predictor(version)
    test, seen = test_set_answers(predictor, version), Window.of(predictor, window)
    health = monitor_window(
        predictor,
        seen,
        section,
        test=test,
        metric=metric,
        margin=margin,
        earlier=load_memory(version),
        dropped=reading["dropped"],
        skipped=reading["skipped"],
    )
    page, evidently = render_monitoring(health, predictor.info.answers), log_report(predictor, seen, test.p)
    tracking.log_text(page, "monitoring.html")
    tracking.log_text(evidently, "evidently.html")
    tracking.log_run_metadata({"verdict": health.verdict, "reason": health.reason, "columns": health.drift.drifted()})
    return health, HTMLString(page), HTMLString(evidently)


def test_set_answers(predictor: Predictor, version: ModelVersionResponse) -> ScoredRows:
    """Return the champion's probabilities and answers (yes or no) on its test rows, with the true labels."""
    test = version.get_artifact("test").load()
    p = predictor.draws(test).mean(0)
    return ScoredRows(p, p >= predictor.info.threshold, test["label"].to_numpy(np.int64))


def load_memory(version: ModelVersionResponse) -> MartingaleMemory | None:
    """Return the martingale's memory over this champion's windows; None to start over if it cannot be read."""
    if (before := version.get_artifact("health")) is None:
        return None
    try:
        health: MonitoringSummary = before.load()
    except ValidationError:
        tracking.log_line(
            "the last window's state was written by another version of the project; the martingale starts over"
        )
        return None
    return health.sequential.memory


def log_report(predictor: Predictor, seen: Window, unseen: Array) -> str:
    """Render Evidently's report: columns, text descriptors and predictions.

    Args:
        predictor: The champion, with its reference rows.
        seen: The window.
        unseen: The champion's probabilities on test rows. A random sample of them stands for the reference rows,
            because the predictor is overconfident on rows it was trained on.
    """
    sampled = np.random.default_rng(0).choice(unseen, len(predictor.reference))
    before = predictor.reference.assign(probability=sampled)
    now = seen.inputs.assign(probability=np.asarray(seen.records["probability"], float))
    return evidently_html(before, now, predictor.info.schema_)
