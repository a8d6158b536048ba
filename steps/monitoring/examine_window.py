"""Is what is served still what was learned, and still right? The verdict on a window of the log, and its pages."""

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
    """The verdict, our page, and Evidently's report on the same rows."""
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
    """The champion's answers on its test rows."""
    test = version.get_artifact("test").load()
    p = predictor.draws(test).mean(0)
    return ScoredRows(p, p >= predictor.info.threshold, test["label"].to_numpy(np.int64))


def load_memory(version: ModelVersionResponse) -> MartingaleMemory | None:
    """How far the bet over this champion's windows has come; it begins anew where nobody can read that any more."""
    if (before := version.get_artifact("health")) is None:
        return None
    try:
        health: MonitoringSummary = before.load()
    except ValidationError:
        tracking.log_line(
            "what the last window left was written by another version of the project; the bet begins anew"
        )
        return None
    return health.sequential.memory


def log_report(predictor: Predictor, seen: Window, unseen: Array) -> str:
    """Evidently's own report: columns, descriptors of texts, and the predictions.

    The reference rows have trained the predictor, which is too sure of them; `unseen` are the probabilities of rows
    that have not, dealt at random.
    """
    dealt = np.random.default_rng(0).choice(unseen, len(predictor.reference))
    before = predictor.reference.assign(probability=dealt)
    now = seen.inputs.assign(probability=np.asarray(seen.records["probability"], float))
    return evidently_html(before, now, predictor.info.schema_)
