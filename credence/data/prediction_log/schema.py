"""What one answer, and one truth that came later, look like in the log."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:  # else whoever only reads or writes the log would import scikit-learn, two seconds of it
    pass


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
    """The record of a truth that came after its answer."""
    return {
        "request_id": valid_utf8(request_id),
        "row": row,
        "time": time or datetime.now(UTC),
        "label": valid_utf8(label),
    }


def records_table(records: list[LogRecord], schema: pa.Schema) -> pa.Table:
    """Records as the table that a closed segment holds."""
    return pa.Table.from_pylist(records, schema=schema)


def is_utf8(text: str) -> bool:
    """JSON lets half a character through (a lone surrogate), which no file of text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def valid_utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
