"""What one answer, and one truth that came later, look like in the log."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from credence.errors import BadInput
from credence.predictions.hashing import Hasher
from credence.rows import EVERYONE, NOBODY, raw_name
from credence.schema import typed

if TYPE_CHECKING:  # else whoever only reads or writes the log would import scikit-learn, two seconds of it
    from credence.predictor import Facts

Record = dict[str, Any]
MOMENT = pa.timestamp("us", tz="UTC")
PREDICTION = pa.schema([
    ("request_id", pa.string()), ("row", pa.int64()), ("time", MOMENT), ("task", pa.string()), ("version", pa.string()),
    ("role", pa.string()), ("delivered", pa.bool_()), ("source", pa.string()), ("group", pa.string()),
    ("inputs", pa.string()), ("label", pa.string()), ("probability", pa.float64()), ("low", pa.float64()),
    ("high", pa.float64()), ("uncertainty", pa.float64()), ("epistemic", pa.float64()), ("aleatoric", pa.float64()),
    ("set", pa.list_(pa.string())), ("abstain", pa.bool_()), ("reasons", pa.list_(pa.string())),
    ("latency_ms", pa.float64()),
])  # fmt: skip
FEEDBACK = pa.schema([("request_id", pa.string()), ("row", pa.int64()), ("time", MOMENT), ("label", pa.string())])
NAMES = frozenset(PREDICTION.names)


def records(
    request_id: str, rows: pd.DataFrame, answers: pd.DataFrame, facts: "Facts", *, role: str = "champion",
    delivered: bool = True, source: str = "http", latency_ms: float | None = None, time: datetime | None = None,
    hasher: Hasher | None = None,
) -> list[Record]:  # fmt: skip
    """One record per row that `Predictor.predict` answered; `rows` is what it was given.

    Columns that the task's policy hashes need a `hasher`; without one they are refused, never written as they are.
    """
    shared: Record = {
        "request_id": _clean(request_id), "time": time or datetime.now(UTC), "task": facts.task, "role": role,
        "delivered": delivered, "source": source, "latency_ms": latency_ms,
    }  # fmt: skip
    given = zip(_groups(rows, facts, hasher), _inputs(rows, facts, hasher), _answers(answers), strict=True)
    return [
        {**shared, "row": i, "group": group, "inputs": inputs, **answer}
        for i, (group, inputs, answer) in enumerate(given)
    ]


def feedback(request_id: str, label: str, row: int = 0, time: datetime | None = None) -> Record:
    """The record of a truth that came after its answer."""
    return {"request_id": _clean(request_id), "row": row, "time": time or datetime.now(UTC), "label": _clean(label)}


def table(records: list[Record], schema: pa.Schema) -> pa.Table:
    """Records as the table that a closed segment holds."""
    return pa.Table.from_pylist(records, schema=schema)


def _answers(answers: pd.DataFrame) -> list[Record]:
    names = [str(c) for c in answers if c in NAMES]
    columns = [[None if v != v else v for v in answers[c].tolist()] for c in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _inputs(rows: pd.DataFrame, facts: "Facts", hasher: Hasher | None) -> list[str]:
    """Per row a JSON object of its inputs under their raw names."""
    names = [raw_name(c.name) for c in facts.schema_.columns]
    columns = []
    for column, name in zip(facts.schema_.columns, names, strict=True):
        if facts.log.hashes(name):
            given = rows[column.name] if column.kind == "text" else typed(rows[column.name], column.kind)
            columns.append([_hashed(hasher, name, v) for v in given.tolist()])
        else:
            columns.append(list(map(_plain, rows[column.name].tolist())))
    return [_json(dict(zip(names, cells, strict=True))) for cells in zip(*columns, strict=True)]


def _groups(rows: pd.DataFrame, facts: "Facts", hasher: Hasher | None) -> list[str]:
    """The group is one of the raw columns too, so that it is hashed where that column is."""
    groups = list(map(str, rows["group"].tolist())) if "group" in rows else [EVERYONE] * len(rows)
    name = facts.schema_.group
    if name is None or not facts.log.hashes(name):
        return list(map(_clean, groups))
    return [g if g in (EVERYONE, NOBODY) else str(_hashed(hasher, name, g)) for g in groups]


def _hashed(hasher: Hasher | None, column: str, value: Any) -> str | None:
    if hasher is None:
        raise BadInput(f"column {column!r} is logged as a hash, and no hasher was given; give Hasher.of(log folder).")
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
    return text if _is_utf8(text) else json.dumps(value)


def _is_utf8(text: str) -> bool:
    """JSON lets half a character through (a lone surrogate), which no file of text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
