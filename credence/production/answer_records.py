"""Build prediction-log records from the answers of a predictor."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from credence.core.errors import InputError
from credence.data.prediction_log.schema import PREDICTION_FIELDS, LogRecord, is_utf8, valid_utf8
from credence.data.rows import ALL_GROUPS, MISSING_GROUP, original_name
from credence.data.schema import parse_column
from credence.predictor import PredictorInfo
from credence.security.keyed_hash import KeyedHasher


def build_records(
    request_id: str,
    rows: pd.DataFrame,
    answers: pd.DataFrame,
    facts: PredictorInfo,
    *,
    role: str = "champion",
    delivered: bool = True,
    source: str = "http",
    latency_ms: float | None = None,
    time: datetime | None = None,
    hasher: KeyedHasher | None = None,
) -> list[LogRecord]:
    """One record per row that `Predictor.predict` answered; `rows` is what it was given.

    Columns that the task's policy hashes need a `hasher`; without one they are refused, never written as they are.
    """
    shared: LogRecord = {
        "request_id": valid_utf8(request_id),
        "time": time or datetime.now(UTC),
        "task": facts.task,
        "role": role,
        "delivered": delivered,
        "source": source,
        "latency_ms": latency_ms,
    }
    given = zip(_groups(rows, facts, hasher), _inputs(rows, facts, hasher), _answers(answers), strict=True)
    return [
        {**shared, "row": i, "group": group, "inputs": inputs, **answer}
        for i, (group, inputs, answer) in enumerate(given)
    ]


def _answers(answers: pd.DataFrame) -> list[LogRecord]:
    names = [str(c) for c in answers if c in PREDICTION_FIELDS]
    columns = [[None if v != v else v for v in answers[c].tolist()] for c in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _inputs(rows: pd.DataFrame, facts: PredictorInfo, hasher: KeyedHasher | None) -> list[str]:
    """Per row a JSON object of its inputs under their raw names."""
    names = [original_name(c.name) for c in facts.schema_.columns]
    columns = []
    for column, name in zip(facts.schema_.columns, names, strict=True):
        if facts.log.hashes(name):
            given = rows[column.name] if column.kind == "text" else parse_column(rows[column.name], column.kind)
            columns.append([_hashed(hasher, name, v) for v in given.tolist()])
        else:
            columns.append(list(map(_plain, rows[column.name].tolist())))
    return [_json(dict(zip(names, cells, strict=True))) for cells in zip(*columns, strict=True)]


def _groups(rows: pd.DataFrame, facts: PredictorInfo, hasher: KeyedHasher | None) -> list[str]:
    """The group is one of the raw columns too, so that it is hashed where that column is."""
    groups = list(map(str, rows["group"].tolist())) if "group" in rows else [ALL_GROUPS] * len(rows)
    name = facts.schema_.group
    if name is None or not facts.log.hashes(name):
        return list(map(valid_utf8, groups))
    return [g if g in (ALL_GROUPS, MISSING_GROUP) else str(_hashed(hasher, name, g)) for g in groups]


def _hashed(hasher: KeyedHasher | None, column: str, value: Any) -> str | None:
    if hasher is None:
        raise InputError(f"column {column!r} is logged as a hash, and no hasher was given; give Hasher.of(log folder).")
    return None if (known := _plain(value)) is None else hasher(column, known)


def _plain(value: Any) -> Any:
    """A value as JSON has it: null for all that is missing, moments as ISO 8601."""
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if is_utf8(text) else json.dumps(value)
