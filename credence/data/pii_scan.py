"""Scan rows for personal data and report kinds and counts per column; values are never stored."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pydantic import Field

from credence.core.registry import StrictModel
from credence.data.rows import RESERVED, original_name
from credence.security.pii.detect import find_pii, pii_kinds_of_column

MAX_SCANNED_ROWS = 10_000
MIN_DISTINCT = 10  # a column with fewer values does not identify persons, whatever its name
MIN_CARD_NUMBER = 1e12  # card numbers have at least 13 digits
PLACES = {"row_id": "the column of row ids", "key": "the split key", "group": "the column of groups"}
TITLES = {
    "email": "e-mail addresses",
    "phone": "phone numbers",
    "credit_card": "card numbers",
    "iban": "IBANs",
    "us_ssn": "US social security numbers",
    "national_id": "national ids",
    "ip_address": "network addresses",
    "login": "addresses with a login",
    "person_name": "names of persons",
    "birth_date": "dates of birth",
    "address": "postal addresses",
}
CONTENT_HASH = r"[0-9a-f]{16}"


class PiiFinding(StrictModel):
    """One kind of personal data in one column.

    `rows` and `share` (0 to 1) are None if only the column's name suggests it.
    """

    column: str
    kind: str
    rows: int | None
    share: float | None

    @property
    def location(self) -> str:
        """The column as named in messages."""
        return PLACES.get(self.column, f"column {original_name(self.column)!r}")

    @property
    def what(self) -> str:
        """The kind as named in messages."""
        return TITLES[self.kind]


class PiiReport(StrictModel):
    """All findings, the number of rows, and how many of them were scanned."""

    found: list[PiiFinding]
    rows: int
    looked_at: int = Field(description="all rows, or a random sample of this size")


def scan_rows(rows: pd.DataFrame, most: int = MAX_SCANNED_ROWS) -> PiiReport:
    """Scan inputs, groups, split keys and ids of canonical rows; at most `most` rows, drawn at random."""
    seen = rows if len(rows) <= most else rows.sample(most, random_state=0)
    found = [s for column in _columns(seen) for s in _findings(column, seen[column])]
    return PiiReport(found=found, rows=len(rows), looked_at=len(seen))


def _columns(rows: pd.DataFrame) -> Iterator[str]:
    for column in rows:
        if column not in RESERVED or column == "group":
            yield str(column)
    if "row_id" in rows and not rows["row_id"].astype(str).str.fullmatch(CONTENT_HASH).all():
        yield "row_id"
    if "key" in rows and not rows["key"].equals(rows["row_id"]):
        yield "key"


def _findings(column: str, values: pd.Series) -> Iterator[PiiFinding]:
    codes, distinct = pd.factorize(values)
    times = np.bincount(codes[codes >= 0], minlength=len(distinct))
    found = find_pii(_texts(distinct))
    for kind, cells in found.items():
        count = int(times[cells].sum())
        yield PiiFinding(column=column, kind=kind, rows=count, share=count / len(values))
    for kind in sorted(pii_kinds_of_column(original_name(column)) - set(found)) if len(distinct) > MIN_DISTINCT else ():
        yield PiiFinding(column=column, kind=kind, rows=None, share=None)


def _texts(distinct: pd.Index) -> list[str]:
    """Return values as text; only numbers long enough for a card, since shorter ones are ambiguous."""
    if pd.api.types.is_datetime64_any_dtype(distinct):
        return []
    if pd.api.types.is_numeric_dtype(distinct):
        numbers = np.asarray(distinct, dtype=np.float64)
        return [f"{v:.0f}" if v >= MIN_CARD_NUMBER and v == np.floor(v) else "" for v in numbers]
    return [str(v) for v in distinct]
