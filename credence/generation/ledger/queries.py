"""Read a ledger: rows, calls, rejected attempts, counts, cost."""

import hashlib
import json
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from credence.core.errors import InputError
from credence.generation.ledger import database, exports
from credence.generation.ledger.records import Slot, Spending, decompress
from credence.generation.llm.messages import Reply, Request

ATTEMPTS = pa.schema(
    [(n, pa.string()) for n in ("request_id", "slot", "provider", "model", "template", "time", "kind", "error_type")]
    + [(n, pa.string()) for n in ("verdict", "reason")]
    + [(n, pa.int64()) for n in ("number", "status", "input", "output", "cached", "reasoning", "cost")]
    + [("latency", pa.float64())]
)
QUARANTINE = pa.schema(
    [(n, pa.string()) for n in ("slot_id", "category", "label", "reason", "detail", "request_id")]
    + [("attempt", pa.int64())]
)
COUNTS = pa.schema(
    [("category", pa.string()), ("label", pa.string())]
    + [(n, pa.int64()) for n in ("quota", "committed", "given_up", "duplicates", "quarantined")]
)
QUARANTINED = (
    "select slot_id, category, label, reason, detail, request_id, quarantine.attempt as attempt "
    "from quarantine join slot using (slot_id) order by category, label, ordinal, quarantine.attempt"
)
TO_DO = (
    "select slot_id, category, label, ordinal, attempt from slot "
    "where remaining > 0 and slot_id not in (select slot_id from result) order by ordinal, category, label"
)
COUNTED = """
select category, label, count(*) as quota, count(content_id) as committed,
    count(*) filter (where content_id is null and remaining = 0) as given_up,
    sum(slot.attempt) - coalesce(sum(refused), 0) as duplicates, coalesce(sum(refused), 0) as quarantined
from slot left join (select slot_id, content_id from result) using (slot_id)
    left join (select slot_id, count(*) as refused from quarantine group by slot_id) using (slot_id)
group by category, label order by category, label
"""


class LedgerReader:
    """Reads a ledger as of its last commit, also while a run writes it.

    Raises:
        InputError: The folder has no ledger, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / database.DATABASE_FILE).exists():
            raise InputError(f"{folder}: there is no ledger; run the generation first, or name its folder.")
        self.folder, self.file = folder, folder / database.DATABASE_FILE
        self._reading = database.connect_ledger(folder, write=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database connection."""
        self._reading.close()

    def spec(self) -> dict[str, Any]:
        """Return the specification of the run.

        Raises:
            InputError: No run has begun in this ledger.
        """
        rows = self._query("select spec from run")
        if not rows:
            raise InputError(f"{self.folder}: {database.NOT_BEGUN}.")
        found: dict[str, Any] = json.loads(rows[0][0])
        return found

    def due(self) -> list[Slot]:
        """List the slots that have no row and are not given up, with the attempt that is due."""
        return [Slot(**dict(zip(Slot.model_fields, row, strict=True))) for row in self._query(TO_DO)]

    def cached(self, request_id: str) -> Reply | None:
        """Return the latest complete reply to a request, or None. Its text may have been rejected."""
        query = "select exchange from attempt where request_id = ? and kind = 'ok' order by number desc limit 1"
        rows = self._query(query, request_id)
        return decompress(rows[0][0])[1] if rows else None

    def exchanges(self, request_id: str) -> list[tuple[Request, Reply]]:
        """List request and reply of every attempt at a request."""
        rows = self._query("select exchange from attempt where request_id = ? order by number", request_id)
        return [decompress(row[0]) for row in rows]

    def results(self) -> pa.Table:
        """Return the data set, sorted by content_id; columns as in `SCHEMA`."""
        return self._table("select {} from result order by content_id", exports.SCHEMA)

    def attempts(self) -> pa.Table:
        """Return all calls by time: provider, model, outcome, latency (s), tokens, cost (nanodollars)."""
        return self._table("select {} from attempt order by time, request_id, number", ATTEMPTS)

    def quarantined(self) -> pa.Table:
        """Return all rejected attempts at slots, with reasons."""
        return self._table(QUARANTINED, QUARANTINE)

    def counts(self) -> pa.Table:
        """Count by category and label: rows wanted, rows committed, slots given up, duplicates, rejected attempts."""
        return self._table(COUNTED, COUNTS)

    def spent(self) -> Spending:
        """Return the cost of the run so far, in nanodollars."""
        query = "select (select coalesce(sum(cost), 0) from attempt), (select coalesce(sum(reserved), 0) from budget)"
        [(settled, reserved)] = self._query(query)
        return Spending(settled=settled, reserved=reserved)

    def digest(self) -> str:
        """Hash the sorted content ids (BLAKE2b-128, hex); equal for data sets with the same rows."""
        ids = self._query("select content_id from result order by content_id")
        return hashlib.blake2b("\n".join(row[0] for row in ids).encode(), digest_size=16).hexdigest()

    def export_parquet(self, file: Path) -> str:
        """Write the data set as Parquet and return the file's SHA-256 (hex)."""
        return exports.export_parquet(self.results(), file)

    def export_jsonl(self, file: Path) -> str:
        """Write the data set as JSON Lines and return the file's SHA-256 (hex)."""
        return exports.export_jsonl(self.results(), file)

    def _query(self, query: str, *values: object) -> list[Any]:
        with database.explain_sqlite_error(self.file):
            return self._reading.execute(query, values).fetchall()

    def _table(self, query: str, schema: pa.Schema) -> pa.Table:
        rows = self._query(query.format(", ".join(schema.names)))
        columns = [_array([row[i] for row in rows], field.type) for i, field in enumerate(schema)]
        return pa.Table.from_arrays(columns, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array([bool(v) for v in values] if pa.types.is_boolean(kind) else values, kind)
