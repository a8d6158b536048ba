"""Write this worker's answers and the feedback it receives to the prediction log, off the request path."""

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
    """The log of one task as one process writes it.

    Args:
        task: The task's name.
        days: Days until answers are deleted; None keeps them. Feedback is always kept.

    Raises:
        InputError: The log's folder cannot be written.
    """

    def __init__(self, task: str, days: float | None = None) -> None:
        folder = log_folder(task)
        keep = timedelta(days=days) if days else None
        self.predictions = LogWriter(folder / "predictions", PREDICTION, keep=keep)
        self.feedback = LogWriter(folder / "feedback", FEEDBACK)
        self._hasher = KeyedHasher.of(folder)

    def note(
        self,
        context: RequestContext,
        info: PredictorInfo,
        rows: pd.DataFrame,
        answers: pd.DataFrame,
        role: str,
        delivered: bool = True,
    ) -> None:
        """Queue the answers to these rows; the writer's thread builds and writes the records.

        Args:
            context: The request; its age now is logged as latency.
            info: The predictor that answered.
            rows: The rows of the request.
            answers: What `Predictor.predict` returned for them.
            role: champion or challenger.
            delivered: Whether the caller got these answers; False for shadow traffic.
        """
        now, latency = datetime.now(UTC), context.milliseconds()

        def make() -> list[LogRecord]:
            return build_records(
                context.request_id,
                rows,
                answers,
                info,
                role=role,
                delivered=delivered,
                time=now,
                latency_ms=latency,
                hasher=self._hasher,
            )

        self.predictions.put(make, len(rows))

    def dropped(self) -> int:
        """Return the number of records dropped since this process started."""
        return self.predictions.dropped

    def close(self) -> None:
        """Write what is queued and stop."""
        self.predictions.close()
        self.feedback.close()
