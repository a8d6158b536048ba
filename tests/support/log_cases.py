"""Records for the tests of the log, made without a predictor."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from credence.data.prediction_log.schema import LogRecord, feedback_record

DAWN = datetime(2026, 1, 1, tzinfo=UTC)


def record(i: int = 0, **changes: Any) -> LogRecord:
    """The i-th answer, a second after the one before."""
    made: LogRecord = {
        "request_id": f"r{i}",
        "row": 0,
        "time": DAWN + timedelta(seconds=i),
        "task": "case",
        "version": "case:1",
        "role": "champion",
        "delivered": True,
        "source": "http",
        "group": "all",
        "inputs": json.dumps({"x": i}),
        "label": "no",
        "probability": 0.25,
        "low": None,
        "high": None,
        "uncertainty": 0.8,
        "epistemic": None,
        "aleatoric": None,
        "set": ["no"],
        "abstain": False,
        "reasons": [],
        "latency_ms": 1.5,
    }
    return made | changes


def truth(i: int, label: str = "yes", after: float = 3600, row: int = 0) -> LogRecord:
    """What came back about the i-th answer, so many seconds later."""
    return feedback_record(f"r{i}", label, row, DAWN + timedelta(seconds=i + after))


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it holds before long; how long is no claim, only an end to the waiting."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.01)
    return held
