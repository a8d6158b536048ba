"""Turn logged predictions with feedback labels into training rows."""

import json
from typing import Any

import pandas as pd

from credence.data.rows import RESERVED, Columns, original_name, row_hashes
from credence.data.schema import column_kind, parse_column
from credence.data.split import Split
from credence.security.keyed_hash import is_hashed


def feedback_as_rows(log: pd.DataFrame, rows: pd.DataFrame, columns: Columns, split: Split) -> pd.DataFrame:
    """Return the labelled predictions of a log as canonical rows with the columns of `rows`.

    Rows that `rows` already contains are left out, and so are all but the newest of equal rows. Rows with other
    input columns or hashed inputs cannot be used.

    The log lacks the columns that decide the split. With `split.column`, new rows are for training. With a
    `split.key` other than the group, every new row is split on its own.

    Args:
        log: Predictions with `truth`; see `join_feedback`.
        rows: The canonical rows of the task's source.
        columns: The roles of the raw columns.
        split: The split of the task.
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
    return there and not any(map(is_hashed, values))


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
