"""Answers whose truth came back, as rows to learn from beside those of the task's source."""

import json
import re
from typing import Any

import pandas as pd

from credence.data.rows import RESERVED, Columns, original_name, row_hashes
from credence.data.schema import column_kind, parse_column
from credence.data.split import Split

HASHED = re.compile("#[0-9a-f]{16}")


def feedback_as_rows(log: pd.DataFrame, rows: pd.DataFrame, columns: Columns, split: Split) -> pd.DataFrame:
    """The log's answers with a truth (`reading.joined`) as canonical rows of the same columns as `rows`.

    Rows that are in `rows` already are left out, and of equal ones the newest is kept. Answers of a version that read
    other columns, or whose inputs are hashed, cannot be learned from and are left out too. The log does not know the
    columns that decide a split: where the data's own column does, new rows train; where a key does that is not the
    group, every new row is dealt for itself.
    """
    known = [str(c) for c in rows if c not in RESERVED]
    given = [json.loads(i) for i in log["inputs"]]
    usable = [t == t and _complete(g, known) for t, g in zip(log["truth"], given, strict=True)]
    log, given = log[usable], [g for g, ok in zip(given, usable, strict=True) if ok]
    if not given:
        return rows.iloc[:0]
    inputs = _typed(pd.DataFrame(given).rename(columns={original_name(c): c for c in known}), rows[known])
    ids = pd.Series(row_hashes(inputs), index=inputs.index)
    by_group = split.key is not None and split.key == columns.group
    found = _reserved(log.reset_index(drop=True), ids, by_group).join(inputs)[list(rows.columns)]
    twin = ids.isin(row_hashes(rows[known])).to_numpy()
    return found[~twin & ~ids.duplicated(keep="last").to_numpy()].reset_index(drop=True)


def _complete(given: dict[str, Any], known: list[str]) -> bool:
    values = [given.get(original_name(c), "") for c in known]
    there = all(original_name(c) in given for c in known)
    return there and not any(isinstance(v, str) and HASHED.fullmatch(v) for v in values)


def _typed(table: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    kinds = {c: column_kind(c, like[c]) for c in map(str, like.columns)}
    return pd.DataFrame({c: table[c] if k == "text" else parse_column(table[c], k) for c, k in kinds.items()})


def _reserved(log: pd.DataFrame, ids: pd.Series, by_group: bool) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row_id": ids,
            "group": log["group"],
            "label": log["truth"].astype(int),
            "key": log["group"] if by_group else ids,
            "origin": "train",
            "when": log["time"].dt.tz_localize(None),
        }
    )
