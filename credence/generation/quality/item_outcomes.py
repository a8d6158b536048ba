"""Outcome of the items that models wrote: rows, duplicates and rejects by slot, by reason and by model."""

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
# Rejection reasons of items whose label was checked: the author's error first, then the one that is not an error.
JUDGED: Mapping[RowsKind, tuple[str, str]] = {
    "statements": ("answer", "label"),
    "examples": ("disagreement", "unclear"),
}


class CellCounts(StrictModel):
    """Slots of one category and label, and the outcome of their items."""

    category: str
    label: str
    quota: int
    committed: int = 0
    given_up: int = 0
    duplicates: int = 0
    quarantined: int = 0

    @property
    def departure(self) -> int:
        """Return rows minus quota; negative if rows are missing."""
        return self.committed - self.quota


class RejectCount(StrictModel):
    """Number of items rejected for one reason."""

    reason: str
    found: Proportion


class ModelCounts(StrictModel):
    """A model's items: read, accepted as rows, and errors among those whose label was checked.

    Duplicates are not counted, because their author is not recorded.
    """

    model: str
    read: int
    accepted: int
    errors: Proportion


class ItemOutcomes(StrictModel):
    """Outcome of all tries at filling slots.

    A try yields an item that is read, or a failed call. An item becomes a row, is a duplicate, or is rejected.

    Attributes:
        wanted: Rows wanted.
        rows: Rows in the data set.
        given_up: Slots given up.
        cells: Counts by category and label.
        tries: Number of tries.
        tries_per_row: Tries for each row; None without rows.
        read: Items read.
        duplicates: Items that repeated another row.
        rejected: Items rejected, of those read.
        rejects: Rejections by reason, of items read.
        failures: Failed calls by reason, of all tries.
        authors: Counts by model.
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
        """Return the category and label furthest from their quota; None without slots."""
        return max(self.cells, key=lambda cell: abs(cell.departure), default=None)

    def labels(self) -> dict[str, list[str]]:
        """Return the labels of every category."""
        found: dict[str, list[str]] = {}
        for cell in self.cells:
            found.setdefault(cell.category, []).append(cell.label)
        return found


def item_outcomes(reader: LedgerReader, attempts: pa.Table, rows: pd.DataFrame, kind: RowsKind) -> ItemOutcomes:
    """Count the outcome of all items in a ledger.

    Args:
        reader: The ledger.
        attempts: Its calls.
        rows: Its rows, with `request_id` and `source`.
        kind: Whether they are statements or examples.
    """
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
    """Count by category and label, including those of the specification that the ledger does not have yet."""
    quotas = reader.spec().get("quotas", {}).items()
    wanted = {
        (c, label): CellCounts(category=c, label=label, quota=n) for c, cells in quotas for label, n in cells.items()
    }
    counted = {(row["category"], row["label"]): CellCounts(**row) for row in reader.counts().to_pylist()}
    cells = wanted | counted
    return [cells[place] for place in sorted(cells) if cells[place].quota]


def _models(attempts: pa.Table) -> "pd.Series[str]":
    """Map request ids to provider/model."""
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
