"""The proof that a server answers as the predictor does: the same rows over HTTP, one by one and as a batch."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pandas as pd

from credence.core.registry import StrictModel
from credence.data.rows import MISSING_GROUP, original_name
from credence.data.schema import Column
from credence.predictor import Predictor

MAX_SHOWN = 10
TIMEOUT = 30.0


class Comparison(StrictModel):
    """How many rows were sent, by how much a number differed at most, and what differed beyond rounding or in words."""

    rows: int
    largest_difference: float
    mismatches: list[str]

    def agrees(self) -> bool:
        """Whether every answer was the predictor's own."""
        return self.rows > 0 and not self.mismatches


def check_parity(url: str, rows: pd.DataFrame, predictor: Predictor, key: str | None = None) -> Comparison:
    """Send canonical rows to a server, with its API `key`, and compare its answers with `predictor.predict`."""
    with httpx.Client(base_url=url, headers={"X-API-Key": key} if key else {}, timeout=TIMEOUT) as client:
        return compare_answers(client, rows, predictor)


def compare_answers(client: httpx.Client, rows: pd.DataFrame, predictor: Predictor) -> Comparison:
    """The same for a client of any server, also one within this process."""
    expected: Any = predictor.predict(rows).to_dict("records")
    bodies = rows_as_requests(rows, predictor)
    single = [_post(client, "/predict", body) for body in bodies]
    whole = _post(client, "/batch_predict", {"rows": bodies})
    batch = whole.get("answers", [whole] * len(bodies))
    most = predictor.model.batch_tolerance
    compared = [*_each("/predict", expected, single, most), *_each("/batch_predict", expected, batch, most)]
    mismatches = [m for _, found in compared for m in found][:MAX_SHOWN]
    largest = max((gap for gap, _ in compared), default=0.0)
    return Comparison(rows=len(rows), largest_difference=largest, mismatches=mismatches)


def rows_as_requests(rows: pd.DataFrame, predictor: Predictor) -> list[dict[str, Any]]:
    """The JSON bodies that stand for these canonical rows, under the raw names of their columns."""
    schema = predictor.info.schema_
    known = schema.select(rows)
    bodies: list[dict[str, Any]] = [{} for _ in range(len(rows))]
    for column in schema.columns:
        for body, value in zip(bodies, _json(column, known[column.name]), strict=True):
            body[original_name(column.name)] = value
    if schema.group:
        for body, group in zip(bodies, known["group"], strict=True):
            body.setdefault(schema.group, None if group == MISSING_GROUP else group)
    return bodies


def _json(column: Column, values: pd.Series) -> Iterator[Any]:
    for value in values:
        if pd.isna(value):
            yield None
        else:
            yield value.isoformat() if column.kind == "date" else value


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post(path, json=body)
    found: dict[str, Any] = response.json()
    return found if response.status_code == 200 else {"error": f"status {response.status_code}, {found.get('error')}"}


def _each(
    path: str, wanted: list[dict[str, Any]], got: list[dict[str, Any]], most: float
) -> list[tuple[float, list[str]]]:
    return [_compare(f"{path}, row {i}", w, g, most) for i, (w, g) in enumerate(zip(wanted, got, strict=True))]


def _compare(where: str, wanted: dict[str, Any], got: dict[str, Any], most: float) -> tuple[float, list[str]]:
    """The largest difference of the numbers, and one sentence per field that differs by more than `most`."""
    if "error" in got:
        return 0.0, [f"{where}: {got['error']}"]
    gaps = {name: _gap(value, got.get(name)) for name, value in wanted.items()}
    wrong = [name for name, gap in gaps.items() if gap > most]
    found = [f"{where}: {name} is {got.get(name)!r}, the predictor says {wanted[name]!r}" for name in wrong]
    return max((gap for gap in gaps.values() if np.isfinite(gap)), default=0.0), found


def _gap(wanted: Any, got: Any) -> float:
    """0 for the same, the distance of two numbers, infinity for anything else."""
    if isinstance(wanted, float) and np.isnan(wanted):
        return 0.0 if got is None else np.inf
    if isinstance(wanted, float) and isinstance(got, float):
        return abs(wanted - got)
    return 0.0 if wanted == got else np.inf
