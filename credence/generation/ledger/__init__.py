"""The ledger of a data set in SQLite: rows, calls and costs; crash-safe, with a cache of replies."""

from credence.generation.ledger.exports import SCHEMA, export_jsonl, export_parquet
from credence.generation.ledger.ledger import Ledger, ledger_folder
from credence.generation.ledger.queries import LedgerReader
from credence.generation.ledger.records import (
    ApplyResult,
    AttemptRecord,
    DatasetRow,
    RejectedItem,
    Slot,
    SlotResult,
    Spending,
    slots,
)

__all__ = [
    "SCHEMA",
    "ApplyResult",
    "AttemptRecord",
    "DatasetRow",
    "Ledger",
    "LedgerReader",
    "RejectedItem",
    "Slot",
    "SlotResult",
    "Spending",
    "export_jsonl",
    "export_parquet",
    "ledger_folder",
    "slots",
]
