"""What /metrics says beside BentoML's own figures. The alert rules name these, so the names stay."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from credence.predictor import PredictorInfo

VERDICTS = {"quiet": 0, "watch": 1, "drift": 2}


@cache
def _made(kind: str, name: str, says: str, *labels: str) -> Any:
    """One of each per process. prometheus_client is imported here, because a worker is told late where it counts."""
    import prometheus_client

    more = {"multiprocess_mode": "mostrecent"} if kind == "Gauge" else {}
    return getattr(prometheus_client, kind)(name, says, labels, **more)


class ServiceMetrics:
    """Counts for one task. No series carries a process, so a worker that is started again adds none."""

    def __init__(self, task: str) -> None:
        self.task = task
        self._answers = _made(
            "Counter", "credence_answers", "rows answered to callers", "task", "version", "role", "label"
        )
        self._abstained = _made("Counter", "credence_abstained", "answers with abstain", "task").labels(task)
        self._dropped = _made("Counter", "credence_log_dropped", "records the log had to drop", "task").labels(task)
        self._feedback = _made("Counter", "credence_feedback", "truths recorded", "task").labels(task)
        self._failures = _made(
            "Counter", "credence_shadow_failures", "requests that the challenger did not answer", "task"
        ).labels(task)
        self._told = {"dropped": 0, "failures": 0}

    def count(self, info: PredictorInfo, role: str, found: pd.DataFrame) -> None:
        """Count the answers that a caller gets."""
        labels = found["label"].tolist()
        for label in set(labels):
            self._answers.labels(self.task, info.version, role, label).inc(labels.count(label))
        if abstained := sum(found["abstain"].tolist()):
            self._abstained.inc(abstained)

    def recorded(self, truths: int) -> None:
        """Count what a caller told to be true."""
        self._feedback.inc(truths)

    def dropped(self, total: int) -> None:
        """Count up to what the log says it has dropped."""
        self._up_to(self._dropped, "dropped", total)

    def failed(self, total: int) -> None:
        """Count up to what the trials of this worker say they have missed."""
        self._up_to(self._failures, "failures", total)

    def bound(self, info: PredictorInfo) -> None:
        """Say within what time the task's answers shall come."""
        gauge = _made("Gauge", "credence_latency_bound_seconds", "95 % of the answers shall come within this", "task")
        gauge.labels(self.task).set(info.latency_ms / 1000)

    def drift(self, file: Path) -> None:
        """Say what monitoring found last. There is no such series before it has found anything."""
        verdict = json.loads(file.read_bytes())["verdict"]
        gauge = _made("Gauge", "credence_drift", "0 quiet, 1 watch, 2 drift", "task")
        gauge.labels(self.task).set(VERDICTS[verdict])

    def _up_to(self, counter: Any, name: str, total: int) -> None:
        counter.inc(max(0, total - self._told[name]))
        self._told[name] = total
