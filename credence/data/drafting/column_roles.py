"""What each column of a raw table is good for: an input, the text, an id, the split, or nothing."""

import pandas as pd

from credence.core.hashing import plain
from credence.core.registry import Strict
from credence.data.checks import id_like, name_words, words_in
from credence.data.schema import kind_of, typed
from credence.data.split import OWN_NAMES

TEXT_WORDS = 5
LONG_WORDS = 15
FEW, MORE = 3, 6
NEARLY_EMPTY = 0.02
HARDLY_REPEATS = 0.5
IDS = {"id", "ids", "uuid", "guid"}
OWNERS = {
    "account", "author", "buyer", "client", "customer", "device", "driver", "employee", "household", "member", "owner",
    "patient", "person", "seller", "session", "speaker", "student", "subject", "user", "visitor",
}  # fmt: skip
NAMING = IDS | OWNERS | {"code", "hash", "key", "name", "no", "nr", "number"}
MANY_OWNERS, SEVERAL_ROWS = 30, 1.1
SPELLINGS = 4


class Roles(Strict):
    """The text column, the ready-made split, what to ignore, the inputs left, and a note on every choice."""

    text: str | None = None
    split: str | None = None
    ignore: list[str] = []
    inputs: list[str] = []
    notes: list[str] = []


def column_roles(raw: pd.DataFrame, label: str, aside: set[str], text: str | None = None) -> Roles:
    """Sort the columns besides `label` and those that are `aside` (already spoken for)."""
    rest = [str(c) for c in raw if c not in {label, text, *aside}]
    split = next((c for c in rest if _is_split(raw[c])), None)
    reasons = {c: reason for c in rest if c != split and (reason := _useless(c, raw[c], raw[label]))}
    texts = [c for c in rest if c not in reasons and c != split and is_text(raw[c])]
    inputs = [c for c in rest if c not in {*reasons, *texts, split}]
    notes = [f"split by column {split}, which says train and test"] if split else []
    if text is None and (chosen := _main_text(raw, texts, inputs, reasons)):
        others = [c for c in rest if c not in (chosen, split)]
        beside = f"; not read: {', '.join(others)}" if others else ""
        return Roles(text=chosen, split=split, notes=[*notes, f"the input is the text in {chosen}{beside}"])
    if text is not None:
        return Roles(text=text, split=split, notes=notes)
    notes += [f"{c} is ignored: it {reason}" for c, reason in reasons.items()]
    notes += [f"{c} is ignored: it holds free text; --text {c} answers from it instead" for c in texts]
    notes += [
        f"{c} holds dates and is kept; split.time={c} would test on the newest rows" for c in inputs if _is_date(raw[c])
    ]
    notes += [
        f"{c} comes back ({raw[c].nunique():,} values in {len(raw):,} rows); "
        f"--set split.key={c} would judge by values that training never saw, without it as an input"
        for c in inputs
        if _comes_back(c, raw[c])
    ]
    return Roles(split=split, ignore=[*reasons, *texts], inputs=inputs, notes=notes)


def is_text(values: pd.Series) -> bool:
    """Whether a raw column holds sentences: mostly five words or more, and mostly different ones."""
    there = values.dropna()
    if pd.api.types.is_numeric_dtype(there) or not len(there) or not there.map(lambda v: isinstance(v, str)).all():
        return False
    return bool(words_in(there) >= TEXT_WORDS and there.nunique() > 0.3 * len(there))


def _main_text(raw: pd.DataFrame, texts: list[str], inputs: list[str], reasons: dict[str, str]) -> str | None:
    """The wordiest text where few inputs stand beside it; short texts count where nothing else would be left."""
    if texts:
        wordiest = max(texts, key=lambda c: words_in(_there(raw, c)))
        return wordiest if len(inputs) <= (MORE if words_in(_there(raw, wordiest)) >= LONG_WORDS else FEW) else None
    wordy = [c for c in reasons if pd.api.types.is_object_dtype(raw[c]) and words_in(_there(raw, c)) > 1]
    return wordy[0] if len(wordy) == 1 and not inputs else None


def _there(raw: pd.DataFrame, name: str) -> pd.Series:
    values: pd.Series = raw[name].dropna()
    return values


def _is_split(values: pd.Series) -> bool:
    if not pd.api.types.is_object_dtype(values) or values.nunique() > len(OWN_NAMES):
        return False
    found = {OWN_NAMES.get(str(v).strip().lower()) for v in values.unique()}
    return {"train", "test"} <= found and None not in found


def _useless(name: str, values: pd.Series, label: pd.Series) -> str | None:
    """Why a column cannot help with answers about new rows, or None where it may."""
    there = values.dropna()
    if len(there) <= NEARLY_EMPTY * len(values):
        return f"is empty in {1 - len(there) / len(values):.1%} of the rows"
    if len(there) == len(values) and len(set(map(plain, there.unique()))) < 2:
        return "holds one value only"
    if _repeats(values, label):
        return f"repeats the label {label.name}"
    if is_text(values):
        return None
    read = typed(values)
    if reason := id_like(name, read):
        return reason
    words = pd.api.types.is_object_dtype(read) and there.nunique() > HARDLY_REPEATS * len(there)
    return f"has {there.nunique():,} different values in {len(there):,} rows" if words and len(there) >= 50 else None


def _repeats(values: pd.Series, label: pd.Series) -> bool:
    """Whether one column's values stand for the other's, one to one."""
    if values.nunique() > SPELLINGS * label.nunique():
        return False
    both = pd.DataFrame({"a": values.map(plain), "b": label.map(plain)})[values.notna() & label.notna()]
    pairs = both.drop_duplicates()
    return len(pairs) > 1 and len(both) > len(pairs) and pairs["a"].is_unique and pairs["b"].is_unique


def _is_date(values: pd.Series) -> bool:
    return kind_of(str(values.name), typed(values)) == "date"


def _comes_back(name: str, values: pd.Series) -> bool:
    """Whether a column names owners of several rows each: who is known from training would be easier to judge."""
    words, distinct, n = name_words(name), values.nunique(), int(values.notna().sum())
    named = bool(words & (IDS | OWNERS)) and words <= NAMING
    return named and distinct >= MANY_OWNERS and 0.02 * n <= distinct <= n / SEVERAL_ROWS
