"""Remembers what this worker answered and what turned out to be true, beside the answering."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from bentos.runtime.request_context import RequestContext
from credence.core.paths import log_folder
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, LogRecord
from credence.data.prediction_log.writer import LogWriter
from credence.predictor import PredictorInfo
from credence.production.answer_records import build_records
from credence.security.keyed_hash import KeyedHasher


class RequestLog:
    """The log of one task, as one process writes it. BadInput where its folder cannot be written."""

    def __init__(self, task: str, days: float | None = None) -> None:
        """Answers are removed after so many days, truths never."""
        folder = log_folder(task)
        keep = timedelta(days=days) if days else None
        self.predictions = LogWriter(folder / "predictions", PREDICTION, keep=keep)
        self.truths = LogWriter(folder / "feedback", FEEDBACK)
        self._hasher = KeyedHasher.of(folder)

    def note(
        self,
        caller: RequestContext,
        info: PredictorInfo,
        rows: pd.DataFrame,
        found: pd.DataFrame,
        role: str,
        delivered: bool = True,
    ) -> None:
        """Have the answers to these rows written down. The records are made in the writer's thread."""
        now, latency = datetime.now(UTC), caller.milliseconds()

        def make() -> list[LogRecord]:
            return build_records(
                caller.request_id,
                rows,
                found,
                info,
                role=role,
                delivered=delivered,
                time=now,
                latency_ms=latency,
                hasher=self._hasher,
            )

        self.predictions.put(make, len(rows))

    def dropped(self) -> int:
        """How many records were not written since this process began."""
        return self.predictions.dropped

    def close(self) -> None:
        """Write what still waits."""
        self.predictions.close()
        self.truths.close()
