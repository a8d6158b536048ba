"""The schemas of prediction and feedback records."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

LogRecord = dict[str, Any]
TIMESTAMP = pa.timestamp("us", tz="UTC")
PREDICTION = pa.schema(
    [
        ("request_id", pa.string()),
        ("row", pa.int64()),
        ("time", TIMESTAMP),
        ("task", pa.string()),
        ("version", pa.string()),
        ("role", pa.string()),
        ("delivered", pa.bool_()),
        ("source", pa.string()),
        ("group", pa.string()),
        ("inputs", pa.string()),
        ("label", pa.string()),
        ("probability", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("uncertainty", pa.float64()),
        ("epistemic", pa.float64()),
        ("aleatoric", pa.float64()),
        ("set", pa.list_(pa.string())),
        ("abstain", pa.bool_()),
        ("reasons", pa.list_(pa.string())),
        ("latency_ms", pa.float64()),
    ]
)
FEEDBACK = pa.schema([("request_id", pa.string()), ("row", pa.int64()), ("time", TIMESTAMP), ("label", pa.string())])
PREDICTION_FIELDS = frozenset(PREDICTION.names)


def feedback_record(request_id: str, label: str, row: int = 0, time: datetime | None = None) -> LogRecord:
    """Build a feedback record.

    Args:
        request_id: Id of the request.
        label: The true answer.
        row: Number of the row in the request, from 0.
        time: When the feedback arrived; by default now.
    """
    return {
        "request_id": valid_utf8(request_id),
        "row": row,
        "time": time or datetime.now(UTC),
        "label": valid_utf8(label),
    }


def records_table(records: list[LogRecord], schema: pa.Schema) -> pa.Table:
    """Convert records to a table for a closed segment."""
    return pa.Table.from_pylist(records, schema=schema)


def is_utf8(text: str) -> bool:
    """Return whether a text can be encoded; JSON allows lone surrogates, UTF-8 does not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def valid_utf8(text: str) -> str:
    """Replace lone surrogates by question marks."""
    return text.encode("utf-8", "replace").decode()
