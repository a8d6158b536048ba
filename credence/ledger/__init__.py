"""What language models wrote and what it cost, kept so that nothing is lost, doubled or paid for twice."""

from credence.ledger.entries import Attempt, Quarantined, Record, Result, Settled, Slot, Spent, slots
from credence.ledger.exports import SCHEMA, export_jsonl, export_parquet
from credence.ledger.ledger import Ledger, ledger_folder
from credence.ledger.reading import Reader

__all__ = [
    "SCHEMA",
    "Attempt",
    "Ledger",
    "Quarantined",
    "Reader",
    "Record",
    "Result",
    "Settled",
    "Slot",
    "Spent",
    "export_jsonl",
    "export_parquet",
    "ledger_folder",
    "slots",
]
