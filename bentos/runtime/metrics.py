"""Prometheus metrics beside BentoML's own. Alert rules use their names, so the names must not change."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from credence.predictor import PredictorInfo

VERDICTS = {"quiet": 0, "watch": 1, "drift": 2}


@cache
def _metric(kind: str, name: str, description: str, *labels: str) -> Any:
    """Create each metric once per process. Import late: BentoML sets the multiprocess directory after start."""
    import prometheus_client

    more = {"multiprocess_mode": "mostrecent"} if kind == "Gauge" else {}
    return getattr(prometheus_client, kind)(name, description, labels, **more)


class ServiceMetrics:
    """Metrics of one task. No label names the process, so a restarted worker adds no time series."""

    def __init__(self, task: str) -> None:
        self.task = task
        self._answers = _metric(
            "Counter", "credence_answers", "rows answered to callers", "task", "version", "role", "label"
        )
        self._abstained = _metric("Counter", "credence_abstained", "answers with abstain", "task").labels(task)
        self._dropped = _metric("Counter", "credence_log_dropped", "records the log had to drop", "task").labels(task)
        self._feedback = _metric("Counter", "credence_feedback", "true labels recorded", "task").labels(task)
        self._failures = _metric(
            "Counter", "credence_shadow_failures", "requests that the challenger did not answer", "task"
        ).labels(task)
        self._exported = {"dropped": 0, "failures": 0}

    def count(self, info: PredictorInfo, role: str, found: pd.DataFrame) -> None:
        """Count the answers sent to a caller.

        Args:
            info: The predictor that answered.
            role: champion or challenger.
            found: The answers, as `Predictor.predict` returns them.
        """
        labels = found["label"].tolist()
        for label in set(labels):
            self._answers.labels(self.task, info.version, role, label).inc(labels.count(label))
        if abstained := sum(found["abstain"].tolist()):
            self._abstained.inc(abstained)

    def recorded(self, labels: int) -> None:
        """Count true labels that a caller sent."""
        self._feedback.inc(labels)

    def dropped(self, total: int) -> None:
        """Raise the counter of dropped log records to `total`."""
        self._raise_to(self._dropped, "dropped", total)

    def failed(self, total: int) -> None:
        """Raise the counter of requests that the challenger did not answer to `total`."""
        self._raise_to(self._failures, "failures", total)

    def bound(self, info: PredictorInfo) -> None:
        """Export the task's latency target (95th percentile) in seconds."""
        gauge = _metric("Gauge", "credence_latency_bound_seconds", "95 % of the answers shall come within this", "task")
        gauge.labels(self.task).set(info.latency_ms / 1000)

    def drift(self, file: Path) -> None:
        """Export the verdict in monitoring's latest summary: 0 quiet, 1 watch, 2 drift."""
        verdict = json.loads(file.read_bytes())["verdict"]
        gauge = _metric("Gauge", "credence_drift", "0 quiet, 1 watch, 2 drift", "task")
        gauge.labels(self.task).set(VERDICTS[verdict])

    def _raise_to(self, counter: Any, name: str, total: int) -> None:
        counter.inc(max(0, total - self._exported[name]))
        self._exported[name] = total
