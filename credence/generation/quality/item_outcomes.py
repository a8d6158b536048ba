"""What became of the items that models wrote: rows, duplicates and rejects, by place, by reason and by model."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

import pandas as pd
import pyarrow as pa

from credence.core.registry import StrictModel
from credence.generation.ledger import LedgerReader
from credence.generation.writers.reply_parsing import REJECT_REASONS
from credence.reporting.proportion import Proportion, proportion

RowsKind = Literal["statements", "examples"]
UNKNOWN = "unknown"
# What is said of an item once its label was checked: first its author's mistake, then what is none.
JUDGED: Mapping[RowsKind, tuple[str, str]] = {
    "statements": ("answer", "label"),
    "examples": ("disagreement", "unclear"),
}


class CellCounts(StrictModel):
    """The places of one category and label, and what became of the items for them."""

    category: str
    label: str
    quota: int
    committed: int = 0
    given_up: int = 0
    duplicates: int = 0
    quarantined: int = 0

    @property
    def departure(self) -> int:
        """Rows above what was wanted; below 0 where rows are missing."""
        return self.committed - self.quota


class RejectCount(StrictModel):
    """A reason, and how many were turned away for it."""

    reason: str
    found: Proportion


class ModelCounts(StrictModel):
    """A model's items: those that were read, those that became rows, and mistakes among those whose label was checked.

    Who wrote a duplicate is not recorded.
    """

    model: str
    read: int
    accepted: int
    errors: Proportion


class ItemOutcomes(StrictModel):
    """Tries at a place end with an item that is read, or with a call that brings none.

    An item that is read becomes a row, is a duplicate, or is rejected. `rejects` are shares of the items that were
    read, `failures` of all tries.
    """

    wanted: int
    rows: int
    given_up: int
    cells: list[CellCounts]
    tries: int
    tries_per_row: float | None
    read: int
    duplicates: int
    rejected: Proportion
    rejects: list[RejectCount]
    failures: list[RejectCount]
    authors: list[ModelCounts]

    @property
    def departure(self) -> CellCounts | None:
        """The category and label that are furthest from their quota; none before anything was wanted."""
        return max(self.cells, key=lambda cell: abs(cell.departure), default=None)

    def labels(self) -> dict[str, list[str]]:
        """The labels of every category."""
        found: dict[str, list[str]] = {}
        for cell in self.cells:
            found.setdefault(cell.category, []).append(cell.label)
        return found


def item_outcomes(reader: LedgerReader, attempts: pa.Table, rows: pd.DataFrame, kind: RowsKind) -> ItemOutcomes:
    """What the ledger tells of its items; `rows` are those of the data set."""
    cells, models = _cells(reader), _models(attempts)
    refused = reader.quarantined().select(["request_id", "reason"]).to_pandas()
    refused = refused.assign(model=refused["request_id"].map(models).fillna(UNKNOWN))
    wrong, failed = (refused[refused["reason"].isin(REJECT_REASONS) == of_items] for of_items in (True, False))
    duplicates = sum(cell.duplicates for cell in cells)
    read = len(rows) + duplicates + len(wrong)
    tries = read + len(failed)
    return ItemOutcomes(
        wanted=sum(cell.quota for cell in cells),
        rows=len(rows),
        given_up=sum(cell.given_up for cell in cells),
        cells=cells,
        tries=tries,
        tries_per_row=tries / len(rows) if len(rows) else None,
        read=read,
        duplicates=duplicates,
        rejected=proportion(len(wrong), read),
        rejects=_rejects(wrong, read),
        failures=_rejects(failed, tries),
        authors=_authors(rows["request_id"].map(models).fillna(rows["source"]), wrong, kind),
    )


def _cells(reader: LedgerReader) -> list[CellCounts]:
    """The counts, and what the specification wants of places that the ledger does not know yet."""
    quotas = reader.spec().get("quotas", {}).items()
    wanted = {
        (c, label): CellCounts(category=c, label=label, quota=n) for c, cells in quotas for label, n in cells.items()
    }
    counted = {(row["category"], row["label"]): CellCounts(**row) for row in reader.counts().to_pylist()}
    cells = wanted | counted
    return [cells[place] for place in sorted(cells) if cells[place].quota]


def _models(attempts: pa.Table) -> "pd.Series[str]":
    """The provider and model that every call was made to."""
    calls = attempts.select(["request_id", "provider", "model"]).to_pandas().drop_duplicates("request_id")
    named: pd.Series[str] = calls["provider"] + "/" + calls["model"]
    return named.set_axis(calls["request_id"])


def _rejects(refused: pd.DataFrame, of: int) -> list[RejectCount]:
    return [
        RejectCount(reason=r, found=proportion(n, of)) for r, n in Counter(refused["reason"].tolist()).most_common()
    ]


def _authors(accepted: "pd.Series[str]", refused: pd.DataFrame, kind: RowsKind) -> list[ModelCounts]:
    rows = Counter(accepted.tolist())
    reasons = {str(model): Counter(part.tolist()) for model, part in refused.groupby("model")["reason"]}
    return [_author(model, rows[model], reasons.get(model, Counter()), kind) for model in sorted({*rows, *reasons})]


def _author(model: str, accepted: int, refused: Counter[str], kind: RowsKind) -> ModelCounts:
    error, _ = JUDGED[kind]
    checked = accepted + sum(refused[reason] for reason in JUDGED[kind])
    return ModelCounts(
        model=model, read=accepted + refused.total(), accepted=accepted, errors=proportion(refused[error], checked)
    )
