"""The monitoring pipeline: prediction log -> verdict -> pages -> alerts."""

from zenml import pipeline
from zenml.enums import ExecutionMode

from credence.task import Task
from steps.monitoring.compare_challenger import compare_challenger
from steps.monitoring.examine_window import examine_window
from steps.monitoring.load_predictions import load_predictions
from steps.monitoring.raise_alerts import raise_alerts


@pipeline(enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def monitoring(task: Task, since: str | None = None, until: str | None = None, tracked: bool = True) -> None:
    """Compare a window of the prediction log with the champion's training rows, and with true labels if known."""
    tracker = {"experiment_tracker": True} if tracked else {}
    window, reading = load_predictions(task.name, task.answers, task.monitoring, since, until)
    examined = examine_window.with_options(**tracker)
    health, _, _ = examined(window, reading, task.name, task.monitoring, task.gate.metric, task.gate.margin)
    raise_alerts(health, task.monitoring.alerts)
    compare_challenger.with_options(**tracker)(task.name, task.answers, after=[health])
