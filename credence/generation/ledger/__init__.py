"""What language models wrote and what it cost, kept so that nothing is lost, doubled or paid for twice."""

from credence.generation.ledger.exports import SCHEMA, export_jsonl, export_parquet
from credence.generation.ledger.ledger import Ledger, ledger_folder
from credence.generation.ledger.queries import Reader
from credence.generation.ledger.records import Attempt, Quarantined, Record, Result, Settled, Slot, Spent, slots

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
