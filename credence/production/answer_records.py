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
    info: PredictorInfo,
    *,
    role: str = "champion",
    delivered: bool = True,
    source: str = "http",
    latency_ms: float | None = None,
    time: datetime | None = None,
    hasher: KeyedHasher | None = None,
) -> list[LogRecord]:
    """One record per row.

    Args:
        request_id: Identity of the request.
        rows: The rows given to `Predictor.predict`.
        answers: Its answers to them.
        info: The predictor's info.
        role: `champion` or `challenger`.
        delivered: False if the caller did not receive the answer (shadow traffic).
        source: `http` or `batch`.
        latency_ms: Time of the request in milliseconds.
        time: Time of the answer; default now.
        hasher: Hashes the columns that the log policy hashes.

    Raises:
        InputError: The log policy hashes a column and `hasher` is None.
    """
    shared: LogRecord = {
        "request_id": valid_utf8(request_id),
        "time": time or datetime.now(UTC),
        "task": info.task,
        "role": role,
        "delivered": delivered,
        "source": source,
        "latency_ms": latency_ms,
    }
    given = zip(_groups(rows, info, hasher), _inputs(rows, info, hasher), _answers(answers), strict=True)
    return [
        {**shared, "row": i, "group": group, "inputs": inputs, **answer}
        for i, (group, inputs, answer) in enumerate(given)
    ]


def _answers(answers: pd.DataFrame) -> list[LogRecord]:
    names = [str(c) for c in answers if c in PREDICTION_FIELDS]
    columns = [[None if v != v else v for v in answers[c].tolist()] for c in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _inputs(rows: pd.DataFrame, info: PredictorInfo, hasher: KeyedHasher | None) -> list[str]:
    """Per row a JSON object of its inputs under their raw names."""
    names = [original_name(c.name) for c in info.schema_.columns]
    columns = []
    for column, name in zip(info.schema_.columns, names, strict=True):
        if info.log.hashes(name):
            given = rows[column.name] if column.kind == "text" else parse_column(rows[column.name], column.kind)
            columns.append([_hashed(hasher, name, v) for v in given.tolist()])
        else:
            columns.append(list(map(_plain, rows[column.name].tolist())))
    return [_json(dict(zip(names, cells, strict=True))) for cells in zip(*columns, strict=True)]


def _groups(rows: pd.DataFrame, info: PredictorInfo, hasher: KeyedHasher | None) -> list[str]:
    """The group of each row; hashed if the policy hashes its column, because the group is a raw column too."""
    groups = list(map(str, rows["group"].tolist())) if "group" in rows else [ALL_GROUPS] * len(rows)
    name = info.schema_.group
    if name is None or not info.log.hashes(name):
        return list(map(valid_utf8, groups))
    return [g if g in (ALL_GROUPS, MISSING_GROUP) else str(_hashed(hasher, name, g)) for g in groups]


def _hashed(hasher: KeyedHasher | None, column: str, value: Any) -> str | None:
    if hasher is None:
        raise InputError(
            f"column {column!r} is logged as a hash, but no hasher was given; pass KeyedHasher.of(log folder)."
        )
    return None if (known := _plain(value)) is None else hasher(column, known)


def _plain(value: Any) -> Any:
    """A value as JSON: None if missing, dates in ISO 8601."""
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if is_utf8(text) else json.dumps(value)
