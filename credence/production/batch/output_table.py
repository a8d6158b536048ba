"""The table of answers: row number, row id and the columns of an HTTP answer."""

import json
from typing import Any

import pandas as pd
import pyarrow as pa

NUMBERS = ("probability", "low", "high", "uncertainty", "epistemic", "aleatoric")
LISTS = ("set", "reasons")


def output_schema(named: bool) -> pa.Schema:
    """Arrow schema of the answers; `named` adds the column `row_id`."""
    return pa.schema(
        [
            ("row", pa.int64()),
            *([("row_id", pa.string())] if named else []),
            ("label", pa.string()),
            *((name, pa.float64()) for name in NUMBERS),
            ("set", pa.list_(pa.string())),
            ("abstain", pa.bool_()),
            ("reasons", pa.list_(pa.string())),
            ("version", pa.string()),
        ]
    )


def output_table(rows: pd.DataFrame, answers: pd.DataFrame) -> pa.Table:
    """The answers to these rows as an Arrow table; undefined values are null."""
    named = "row_id" in rows
    given = {"row": rows.index, **({"row_id": rows["row_id"]} if named else {}), **answers}
    fields = output_schema(named)
    return pa.table([pa.array(given[f.name], f.type, from_pandas=True) for f in fields], schema=fields)


def flat_columns(answers: pa.Table) -> pa.Table:
    """Replace lists by JSON text, for formats without lists."""
    for name in LISTS:
        texts = pa.array([json.dumps(cell, ensure_ascii=False) for cell in answers[name].to_pylist()], pa.string())
        answers = answers.set_column(answers.schema.get_field_index(name), name, texts)
    return answers


def output_records(answers: pa.Table) -> list[dict[str, Any]]:
    """One dictionary per row."""
    return answers.to_pylist()  # type: ignore[no-any-return]
