"""Check that a server answers as its predictor does: the same rows over HTTP, one by one and as a batch."""

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
    """The result of a parity check.

    Attributes:
        rows: Number of rows sent.
        largest_difference: Largest absolute difference of a number.
        mismatches: One sentence for each field that differs, at most 10. A number differs if it is off by more than
            the model's batch tolerance.
    """

    rows: int
    largest_difference: float
    mismatches: list[str]

    def agrees(self) -> bool:
        """Return whether rows were sent and all answers match."""
        return self.rows > 0 and not self.mismatches


def check_parity(url: str, rows: pd.DataFrame, predictor: Predictor, key: str | None = None) -> Comparison:
    """Send canonical rows to a server and compare its answers with `predictor.predict`.

    Args:
        url: The server's URL.
        rows: Canonical rows.
        predictor: The predictor that the server should hold.
        key: An API key, if the server needs one.
    """
    with httpx.Client(base_url=url, headers={"X-API-Key": key} if key else {}, timeout=TIMEOUT) as client:
        return compare_answers(client, rows, predictor)


def compare_answers(client: httpx.Client, rows: pd.DataFrame, predictor: Predictor) -> Comparison:
    """Do the same as `check_parity` with an HTTP client, which may call a server within this process."""
    expected: Any = predictor.predict(rows).to_dict("records")
    bodies = rows_as_requests(rows, predictor)
    single = [_post(client, "/predict", body) for body in bodies]
    reply = _post(client, "/batch_predict", {"rows": bodies})
    batch = reply.get("answers", [reply] * len(bodies))
    tolerance = predictor.model.batch_tolerance
    compared = [
        *_compare_all("/predict", expected, single, tolerance),
        *_compare_all("/batch_predict", expected, batch, tolerance),
    ]
    mismatches = [m for _, found in compared for m in found][:MAX_SHOWN]
    largest = max((gap for gap, _ in compared), default=0.0)
    return Comparison(rows=len(rows), largest_difference=largest, mismatches=mismatches)


def rows_as_requests(rows: pd.DataFrame, predictor: Predictor) -> list[dict[str, Any]]:
    """Convert canonical rows to request bodies, one per row, with raw column names."""
    schema = predictor.info.schema_
    known = schema.select(rows)
    bodies: list[dict[str, Any]] = [{} for _ in range(len(rows))]
    for column in schema.columns:
        for body, value in zip(bodies, _json_values(column, known[column.name]), strict=True):
            body[original_name(column.name)] = value
    if schema.group:
        for body, group in zip(bodies, known["group"], strict=True):
            body.setdefault(schema.group, None if group == MISSING_GROUP else group)
    return bodies


def _json_values(column: Column, values: pd.Series) -> Iterator[Any]:
    for value in values:
        if pd.isna(value):
            yield None
        else:
            yield value.isoformat() if column.kind == "date" else value


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post(path, json=body)
    found: dict[str, Any] = response.json()
    return found if response.status_code == 200 else {"error": f"status {response.status_code}, {found.get('error')}"}


def _compare_all(
    path: str, expected: list[dict[str, Any]], got: list[dict[str, Any]], tolerance: float
) -> list[tuple[float, list[str]]]:
    pairs = zip(expected, got, strict=True)
    return [_compare(f"{path}, row {i}", e, g, tolerance) for i, (e, g) in enumerate(pairs)]


def _compare(where: str, expected: dict[str, Any], got: dict[str, Any], tolerance: float) -> tuple[float, list[str]]:
    """Return the largest difference of numbers, and one sentence per field that differs by more than `tolerance`."""
    if "error" in got:
        return 0.0, [f"{where}: {got['error']}"]
    gaps = {name: _difference(value, got.get(name)) for name, value in expected.items()}
    wrong = [name for name, gap in gaps.items() if gap > tolerance]
    found = [f"{where}: {name} is {got.get(name)!r}, the predictor says {expected[name]!r}" for name in wrong]
    return max((gap for gap in gaps.values() if np.isfinite(gap)), default=0.0), found


def _difference(expected: Any, got: Any) -> float:
    """Return 0 for equal values, the distance of two numbers, or infinity for anything else."""
    if isinstance(expected, float) and np.isnan(expected):
        return 0.0 if got is None else np.inf
    if isinstance(expected, float) and isinstance(got, float):
        return abs(expected - got)
    return 0.0 if expected == got else np.inf
