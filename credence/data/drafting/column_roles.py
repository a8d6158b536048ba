"""Infer the role of every raw column: input, text, split, or ignored."""

import pandas as pd

from credence.core.hashing import canonical_value
from credence.core.registry import StrictModel
from credence.data.identifiers import looks_like_id, split_column_name
from credence.data.schema import column_kind, parse_column
from credence.data.split import PART_ALIASES
from credence.data.text import median_word_count

TEXT_WORDS = 5  # median words from which a column holds text
LONG_WORDS = 15  # median words from which a text is long
MAX_INPUTS_BESIDE_TEXT, MAX_INPUTS_BESIDE_LONG_TEXT = 3, 6
MIN_PRESENT_SHARE = 0.02
MAX_DISTINCT_SHARE = 0.5  # a category with more distinct values per row hardly repeats
MIN_ROWS_TO_COUNT = 50
IDS = {"id", "ids", "uuid", "guid"}
OWNER_WORDS = {
    "account",
    "author",
    "buyer",
    "client",
    "customer",
    "device",
    "driver",
    "employee",
    "household",
    "member",
    "owner",
    "patient",
    "person",
    "seller",
    "session",
    "speaker",
    "student",
    "subject",
    "user",
    "visitor",
}
NAME_WORDS = IDS | OWNER_WORDS | {"code", "hash", "key", "name", "no", "nr", "number"}
MIN_OWNERS, MIN_ROWS_PER_OWNER = 30, 1.1
MAX_SPELLINGS = 4  # distinct values per label value in a copy of the label


class ColumnRoles(StrictModel):
    """The text column, the column of a ready-made split, ignored columns, inputs, and a note per choice."""

    text: str | None = None
    split: str | None = None
    ignore: list[str] = []
    inputs: list[str] = []
    notes: list[str] = []


def infer_column_roles(raw: pd.DataFrame, label: str, aside: set[str], text: str | None = None) -> ColumnRoles:
    """Infer the roles of the columns that have none yet.

    Args:
        raw: The raw table.
        label: The label's column.
        aside: Columns that have a role already, such as ids and groups.
        text: The text column; inferred by default.
    """
    rest = [str(c) for c in raw if c not in {label, text, *aside}]
    split = next((c for c in rest if _is_split(raw[c])), None)
    reasons = {c: reason for c in rest if c != split and (reason := _reason_to_ignore(c, raw[c], raw[label]))}
    texts = [c for c in rest if c not in reasons and c != split and is_text(raw[c])]
    inputs = [c for c in rest if c not in {*reasons, *texts, split}]
    notes = [f"split by column {split}, which says train and test"] if split else []
    if text is None and (chosen := _main_text(raw, texts, inputs, reasons)):
        others = [c for c in rest if c not in (chosen, split)]
        beside = f"; not read: {', '.join(others)}" if others else ""
        return ColumnRoles(text=chosen, split=split, notes=[*notes, f"the input is the text in {chosen}{beside}"])
    if text is not None:
        return ColumnRoles(text=text, split=split, notes=notes)
    notes += [f"{c} is ignored: it {reason}" for c, reason in reasons.items()]
    notes += [f"{c} is ignored: it holds free text; --text {c} answers from it instead" for c in texts]
    notes += [
        f"{c} holds dates and is kept; split.time={c} would test on the newest rows" for c in inputs if _is_date(raw[c])
    ]
    notes += [
        f"{c} comes back ({raw[c].nunique():,} values in {len(raw):,} rows); "
        f"--set split.key={c} would judge by values that training never saw, without it as an input"
        for c in inputs
        if _identifies_recurring_entity(c, raw[c])
    ]
    return ColumnRoles(split=split, ignore=[*reasons, *texts], inputs=inputs, notes=notes)


def is_text(values: pd.Series) -> bool:
    """Return whether a raw column holds sentences: a median of at least five words, and mostly distinct values."""
    there = values.dropna()
    if pd.api.types.is_numeric_dtype(there) or not len(there) or not there.map(lambda v: isinstance(v, str)).all():
        return False
    return bool(median_word_count(there) >= TEXT_WORDS and there.nunique() > 0.3 * len(there))


def _main_text(raw: pd.DataFrame, texts: list[str], inputs: list[str], reasons: dict[str, str]) -> str | None:
    """Return the longest text if there are few inputs, or a column of short texts if there are none."""
    words = {c: median_word_count(raw[c].dropna()) for c in texts}
    if texts:
        longest = max(texts, key=words.__getitem__)
        is_long = words[longest] >= LONG_WORDS
        return longest if len(inputs) <= (MAX_INPUTS_BESIDE_LONG_TEXT if is_long else MAX_INPUTS_BESIDE_TEXT) else None
    short = [c for c in reasons if pd.api.types.is_object_dtype(raw[c]) and median_word_count(raw[c].dropna()) > 1]
    return short[0] if len(short) == 1 and not inputs else None


def _is_split(values: pd.Series) -> bool:
    if not pd.api.types.is_object_dtype(values) or values.nunique() > len(PART_ALIASES):
        return False
    found = {PART_ALIASES.get(str(v).strip().lower()) for v in values.unique()}
    return {"train", "test"} <= found and None not in found


def _reason_to_ignore(name: str, values: pd.Series, label: pd.Series) -> str | None:
    """Return why a column cannot help to predict new rows, or None if it may."""
    there = values.dropna()
    if len(there) <= MIN_PRESENT_SHARE * len(values):
        return f"is empty in {1 - len(there) / len(values):.1%} of the rows"
    if len(there) == len(values) and len(set(map(canonical_value, there.unique()))) < 2:
        return "holds one value only"
    if _repeats(values, label):
        return f"repeats the label {label.name}"
    if is_text(values):
        return None
    typed = parse_column(values)
    if reason := looks_like_id(name, typed):
        return reason
    distinct, n = there.nunique(), len(there)
    hardly_repeats = pd.api.types.is_object_dtype(typed) and distinct > MAX_DISTINCT_SHARE * n
    return f"has {distinct:,} different values in {n:,} rows" if hardly_repeats and n >= MIN_ROWS_TO_COUNT else None


def _repeats(values: pd.Series, label: pd.Series) -> bool:
    """Return whether the values of two columns correspond one to one."""
    if values.nunique() > MAX_SPELLINGS * label.nunique():
        return False
    both = pd.DataFrame({"a": values.map(canonical_value), "b": label.map(canonical_value)})[
        values.notna() & label.notna()
    ]
    pairs = both.drop_duplicates()
    return len(pairs) > 1 and len(both) > len(pairs) and pairs["a"].is_unique and pairs["b"].is_unique


def _is_date(values: pd.Series) -> bool:
    return column_kind(str(values.name), parse_column(values)) == "date"


def _identifies_recurring_entity(name: str, values: pd.Series) -> bool:
    """Return whether a column identifies entities with several rows each (risk of group leakage)."""
    words, distinct, n = split_column_name(name), values.nunique(), int(values.notna().sum())
    named = bool(words & (IDS | OWNER_WORDS)) and words <= NAME_WORDS
    return named and distinct >= MIN_OWNERS and 0.02 * n <= distinct <= n / MIN_ROWS_PER_OWNER
