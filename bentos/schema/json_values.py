"""Convert one JSON value to the cell that canonical rows would hold, or say what is wrong with it."""

from typing import Any

import pandas as pd

from credence.data.parsing.dates import is_day_month_ambiguous
from credence.data.schema import MISSING, Column, ColumnKind

MAX_SAFE_INTEGER = 1e30
MAX_SHOWN_CHARACTERS = 40
ANY_GROUP = Column(name="group", kind="category", nullable=True)
NOUNS: dict[ColumnKind, str] = {
    "number": "a number",
    "category": "a word",
    "date": "a date such as 2024-01-31",
    "text": "a text",
}
JsonValue = str | float | bool | None


def parse_json_value(column: Column, value: Any) -> JsonValue:
    """Check a JSON value against a column.

    Returns:
        The value as `parse_column` reads it; None if it is missing.

    Raises:
        ValueError: The value does not fit; the message names what was expected and what was given.
    """
    if value is None or (column.kind in ("category", "date") and _says_missing(value)):
        _refuse_missing(column, value)
        return None
    if column.kind == "date" and isinstance(value, str) and is_day_month_ambiguous(value):
        raise ValueError(f"expected a date with the year first, for {quote(value)} could be read in two ways")
    if not _fits(column, value):
        raise ValueError(f"expected {NOUNS[column.kind]}, not {quote(value)}")
    if isinstance(value, (int, float)) and not abs(value) <= MAX_SAFE_INTEGER:
        raise ValueError(
            f"expected a number between -{MAX_SAFE_INTEGER:g} and {MAX_SAFE_INTEGER:g}, not {quote(value)}"
        )
    return value  # type: ignore[no-any-return]


def parse_group(value: Any) -> JsonValue:
    """Check a group: any string or number; null means that the row's group is unknown.

    Raises:
        ValueError: The value is a list or an object.
    """
    return value if isinstance(value, str) else parse_json_value(ANY_GROUP, value)


def _says_missing(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in MISSING


def _refuse_missing(column: Column, value: Any) -> None:
    if not column.nullable:
        raise ValueError(f"expected {NOUNS[column.kind]}, not {quote(value)}: it was never missing in training")


def _fits(column: Column, value: Any) -> bool:
    if column.kind == "category":
        return isinstance(value, (str, int, float))
    if column.kind == "number":
        return _is_flag(column) if isinstance(value, bool) else isinstance(value, (int, float))
    return isinstance(value, str) and (column.kind == "text" or _is_date(value))


def _is_flag(column: Column) -> bool:
    """Return whether a number column was always within 0 to 1, so that it accepts true and false."""
    return column.low is not None and column.high is not None and column.low >= 0 and column.high <= 1


def _is_date(value: str) -> bool:
    """Return whether this is a date. Require digits: pandas also parses "now" and "today"."""
    found = pd.to_datetime([value], errors="coerce", format="mixed", utc=True)
    return any(c.isdigit() for c in value) and not found.isna()[0]


def quote(value: Any) -> str:
    """Format a JSON value for a message, on one line and at most about 40 characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and abs(value) >= 10**MAX_SHOWN_CHARACTERS:
        return f"a number of more than {MAX_SHOWN_CHARACTERS} digits"
    word = repr(value)
    return word if len(word) <= MAX_SHOWN_CHARACTERS else f"{word[:MAX_SHOWN_CHARACTERS]}…"
