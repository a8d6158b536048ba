"""Infer which values of a label column mean yes and no, and draft the question."""

import re
from typing import Any

import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import canonical_value
from credence.core.registry import StrictModel
from credence.data.parsing.numbers import is_float
from credence.data.schema import MISSING

PLAIN_YES = {"1", "yes", "y", "true", "t"}
YES = {
    "yes",
    "y",
    "true",
    "t",
    "1",
    "positive",
    "pos",
    "spam",
    "malignant",
    "fraud",
    "abnormal",
    "present",
    "disease",
    "churned",
    "churn",
    "exited",
    "cancelled",
    "canceled",
    "default",
    "defaulted",
    "converted",
    "clicked",
    "subscribed",
    "ja",
    "oui",
    "si",
    "sí",
    "sì",
    "sim",
    "tak",
    "да",
    "はい",
    "是",
}
NO = {
    "no",
    "n",
    "false",
    "0",
    "negative",
    "neg",
    "ham",
    "benign",
    "normal",
    "absent",
    "healthy",
    "legitimate",
    "stayed",
    "retained",
    "nein",
    "non",
    "não",
    "nao",
    "nie",
    "нет",
    "いいえ",
    "否",
}
UNDECIDED = MISSING | {
    "no agreement",
    "unknown",
    "unsure",
    "not sure",
    "undecided",
    "unclear",
    "unlabelled",
    "unlabeled",
}
MAX_LABEL_VALUES = 20


class LabelValues(StrictModel):
    """The interpretation of a label column.

    Attributes:
        positive: The value or values that mean yes.
        negative: The value or values that mean no; None means all others.
        question: The drafted question.
        words: The words for no and yes.
        gaps: Number of rows without a label.
        share: Share of yes among the labelled rows, from 0 to 1.
        notes: One sentence per choice.
    """

    positive: Any
    negative: Any = None
    question: str
    words: tuple[str, str]
    gaps: int
    share: float
    notes: list[str]


def infer_label_values(label: pd.Series, positive: str | None = None) -> LabelValues:
    """Infer which values of a raw label column mean yes and no.

    Args:
        label: The raw column.
        positive: The values that mean yes, separated by commas. By default, of two values the one that sounds like
            yes, or the larger number, or the rarer one.

    Raises:
        InputError: There is one value only, or more than two without `positive`. `positive` names an unknown
            value, or all values.
    """
    empty = label.isna() | label.astype(str).str.strip().eq("")
    there = label[~empty]
    merged = _merge_case(there.map(canonical_value))
    counts = there.map(lambda value: merged[canonical_value(value)]).value_counts()
    decided = [v for v in counts.index if v.lower() not in UNDECIDED]
    values = decided if len(decided) == 2 else list(counts.index)
    _refuse_other_counts(str(label.name), counts, values, positive)
    yes, why = (_given_yes(positive, counts), "as --positive says") if positive else _choose_yes(values, counts)
    no = [v for v in values if v not in yes]
    if not no:
        raise InputError(f"--positive {positive}: that is every value of {label.name!r}; leave out those that mean no.")
    return _interpretation(there, merged, yes, no, why, int(empty.sum()))


def _merge_case(labels: pd.Series) -> dict[str, str]:
    """Map values that differ in case to the most frequent one, unless the answers differ in nothing but case."""
    values = list(labels.value_counts().index)
    firsts: dict[str, str] = {}
    for value in values:
        firsts.setdefault(value.casefold(), value)
    return {v: firsts[v.casefold()] if len(firsts) > 1 else v for v in values}


def _refuse_other_counts(name: str, counts: pd.Series, values: list[str], positive: str | None) -> None:
    shown = ", ".join(f"{v!r} ({n})" for v, n in counts.head(8).items()) + (", …" if len(counts) > 8 else "")
    if len(counts) < 2:
        content = f"holds only {shown}" if len(counts) else "is empty"
        raise InputError(f"label column {name!r} {content}; a question needs rows of both answers.")
    if len(values) > 2 and not positive:
        if len(values) > MAX_LABEL_VALUES:
            raise InputError(
                f"label column {name!r} holds {len(values)} different values; "
                "expected a few answers, such as yes and no: name another column with --label, or add one that answers."
            )
        ordered = sorted(values, key=lambda v: (not is_float(v), float(v) if is_float(v) else -counts[v]))
        example = ",".join(ordered[1:]) if is_float(ordered[0]) else ordered[-1]
        raise InputError(
            f"label column {name!r} holds {len(values)} values: {shown}; "
            f'say which of them mean yes, such as --positive "{example}".'
        )


def _given_yes(positive: str, counts: pd.Series) -> list[str]:
    """Return the values that `positive` names."""
    known = {v.lower(): v for v in counts.index}
    parts = [positive] if positive.strip().lower() in known else positive.split(",")
    for part in parts:
        if part.strip().lower() not in known:
            hint = did_you_mean(part.strip(), list(counts.index[:20]))
            raise InputError(f"--positive {part.strip()}: the label column never holds that. {hint}")
    exact = [p.strip() if p.strip() in counts.index else known[p.strip().lower()] for p in parts]
    return list(dict.fromkeys(exact))


def _choose_yes(values: list[str], counts: pd.Series) -> tuple[list[str], str]:
    """Choose between two values: the one that sounds like yes, else the larger number, else the rarer one."""
    for value, other in (values, values[::-1]):
        if value.lower() in YES or (other.lower() in NO and value.lower() not in NO):
            return [value], "by its name"
        if re.fullmatch(rf"(no|non|not|un)[- _]?{re.escape(value.lower())}", other.lower()):
            return [value], f"since {other!r} negates it"
    if all(map(is_float, values)):
        return [max(values, key=float)], "the larger number"
    return [min(values, key=lambda v: (counts[v], v))], "the rarer answer"


def _interpretation(
    there: pd.Series, merged: dict[str, str], yes: list[str], no: list[str], why: str, gaps: int
) -> LabelValues:
    native = {canonical_value(v): _to_native(v) for v in there.unique()}
    labels = there.map(lambda value: merged[canonical_value(value)])
    left_out = sorted(set(labels) - set(yes) - set(no))
    share = float(labels[labels.isin([*yes, *no])].isin(yes).mean())
    one_each = len(yes) == len(no) == 1 and not any(map(is_float, [*yes, *no])) and {*yes, *no} != {"true", "false"}
    name = str(there.name)
    return LabelValues(
        positive=_raw_values(yes, merged, native),
        negative=_raw_values(no, merged, native) if left_out else None,
        question=_question(name, yes),
        words=(no[0], yes[0]) if one_each else ("no", "yes"),
        gaps=gaps,
        share=share,
        notes=_notes(name, yes, no, left_out, why, share, gaps),
    )


def _raw_values(values: list[str], merged: dict[str, str], native: dict[str, Any]) -> Any:
    """Return one raw value, or the list of all raw values that are merged into `values`."""
    found = [native[v] for value in values for v in merged if merged[v] == value]
    return found[0] if len(found) == 1 else found


def _notes(
    name: str, yes: list[str], no: list[str], left_out: list[str], why: str, share: float, gaps: int
) -> list[str]:
    swap = f"; --positive {no[0]!r} reverses it" if why != "as --positive says" else ""
    notes = [f"{name} = {_or(yes)} means yes ({share:.1%} of the rows), {why}{swap}"]
    if len(no) > 1:
        notes.append(f"{_or(no)} mean no; name columns.negative to leave some of them out")
    if left_out:
        notes.append(
            f"rows with {name} = {_or(left_out)} are left out, since they are neither yes nor no (columns.negative)"
        )
    return [*notes, f"{gaps:,} rows without a label are left out (columns.unlabelled)"] if gaps else notes


def _or(values: list[str]) -> str:
    return " or ".join(map(repr, values))


def _to_native(value: Any) -> Any:
    """Convert a value for YAML: plain Python types, whole numbers as int, texts stripped."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value if isinstance(value, (bool, int, float)) else str(value)


def _question(name: str, yes: list[str]) -> str:
    """Return "Left?" if the value is a plain yes, and "Is kind spam?" otherwise."""
    if len(yes) > 1:
        return f"Is {name} one of {', '.join(yes)}?"
    return f"{name}?" if yes[0].lower() in PLAIN_YES else f"Is {name} {yes[0]}?"
