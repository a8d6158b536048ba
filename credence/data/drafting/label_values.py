"""Which value of a label column means yes, and how the question then reads."""

import re
from typing import Any

import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import canonical_value
from credence.core.registry import StrictModel
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
    """How a label column is read: what means yes, what means no (nothing: all else), and the words for both."""

    positive: Any
    negative: Any = None
    question: str
    words: tuple[str, str]
    gaps: int
    share: float
    notes: list[str]


def infer_label_values(label: pd.Series, positive: str | None = None) -> LabelValues:
    """What means yes in a raw label column: what `positive` says ("1,2,3" for several), or the likelier of two values.

    Raises BadInput for one value, and for more than two without `positive`.
    """
    empty = label.isna() | label.astype(str).str.strip().eq("")
    there = label[~empty]
    heads = _heads(there.map(canonical_value))
    counts = there.map(lambda value: heads[canonical_value(value)]).value_counts()
    decided = [v for v in counts.index if v.lower() not in UNDECIDED]
    values = decided if len(decided) == 2 else list(counts.index)
    _refuse_other_counts(str(label.name), counts, values, positive)
    yes, why = (_given(positive, counts), "as --positive says") if positive else _chosen(values, counts)
    no = [v for v in values if v not in yes]
    if not no:
        raise InputError(f"--positive {positive}: that is every value of {label.name!r}; leave out those that mean no.")
    return _worded(there, heads, yes, no, why, int(empty.sum()))


def _heads(spelled: pd.Series) -> dict[str, str]:
    """Every value with the one it stands for: Yes, yes and YES are one answer, unless only case tells answers apart."""
    values = list(spelled.value_counts().index)
    firsts: dict[str, str] = {}
    for value in values:
        firsts.setdefault(value.casefold(), value)
    return {v: firsts[v.casefold()] if len(firsts) > 1 else v for v in values}


def _refuse_other_counts(name: str, counts: pd.Series, values: list[str], positive: str | None) -> None:
    shown = ", ".join(f"{v!r} ({n})" for v, n in counts.head(8).items()) + (", …" if len(counts) > 8 else "")
    if len(counts) < 2:
        held = f"holds only {shown}" if len(counts) else "is empty"
        raise InputError(f"label column {name!r} {held}; a question needs rows of both answers.")
    if len(values) > 2 and not positive:
        if len(values) > MAX_LABEL_VALUES:
            raise InputError(
                f"label column {name!r} holds {len(values)} different values; "
                "expected a few answers, such as yes and no: name another column with --label, or add one that answers."
            )
        ordered = sorted(values, key=lambda v: (not _is_number(v), float(v) if _is_number(v) else -counts[v]))
        example = ",".join(ordered[1:]) if _is_number(ordered[0]) else ordered[-1]
        raise InputError(
            f"label column {name!r} holds {len(values)} values: {shown}; "
            f'say which of them mean yes, such as --positive "{example}".'
        )


def _given(positive: str, counts: pd.Series) -> list[str]:
    known = {v.lower(): v for v in counts.index}
    parts = [positive] if positive.strip().lower() in known else positive.split(",")
    for part in parts:
        if part.strip().lower() not in known:
            hint = did_you_mean(part.strip(), list(counts.index[:20]))
            raise InputError(f"--positive {part.strip()}: the label column never holds that. {hint}")
    exact = [p.strip() if p.strip() in counts.index else known[p.strip().lower()] for p in parts]
    return list(dict.fromkeys(exact))


def _chosen(values: list[str], counts: pd.Series) -> tuple[list[str], str]:
    """Of two values the one that sounds like yes, else the larger number, else the rarer one."""
    for value, other in (values, values[::-1]):
        if value.lower() in YES or (other.lower() in NO and value.lower() not in NO):
            return [value], "by its name"
        if re.fullmatch(rf"(no|non|not|un)[- _]?{re.escape(value.lower())}", other.lower()):
            return [value], f"since {other!r} denies it"
    if all(map(_is_number, values)):
        return [max(values, key=float)], "the larger number"
    return [min(values, key=lambda v: (counts[v], v))], "the rarer answer"


def _worded(there: pd.Series, heads: dict[str, str], yes: list[str], no: list[str], why: str, gaps: int) -> LabelValues:
    native = {canonical_value(v): _native(v) for v in there.unique()}
    spelled = there.map(lambda value: heads[canonical_value(value)])
    left_out = sorted(set(spelled) - set(yes) - set(no))
    share = float(spelled[spelled.isin([*yes, *no])].isin(yes).mean())
    one_each = len(yes) == len(no) == 1 and not any(map(_is_number, [*yes, *no])) and {*yes, *no} != {"true", "false"}
    named = str(there.name)
    return LabelValues(
        positive=_all(yes, heads, native),
        negative=_all(no, heads, native) if left_out else None,
        question=_question(named, yes),
        words=(no[0], yes[0]) if one_each else ("no", "yes"),
        gaps=gaps,
        share=share,
        notes=_notes(named, yes, no, left_out, why, share, gaps),
    )


def _all(values: list[str], heads: dict[str, str], native: dict[str, Any]) -> Any:
    """One value, or all of them in all their spellings."""
    found = [native[v] for value in values for v in heads if heads[v] == value]
    return found[0] if len(found) == 1 else found


def _notes(
    name: str, yes: list[str], no: list[str], left_out: list[str], why: str, share: float, gaps: int
) -> list[str]:
    turn = f"; --positive {no[0]!r} turns it round" if why != "as --positive says" else ""
    notes = [f"{name} = {_or(yes)} means yes ({share:.1%} of the rows), {why}{turn}"]
    if len(no) > 1:
        notes.append(f"{_or(no)} mean no; name columns.negative to leave some of them out")
    if left_out:
        notes.append(f"rows with {name} = {_or(left_out)} are left out, since they decide nothing (columns.negative)")
    return [*notes, f"{gaps:,} rows without a label are left out (columns.unlabelled)"] if gaps else notes


def _or(values: list[str]) -> str:
    return " or ".join(map(repr, values))


def _native(value: Any) -> Any:
    """A value as YAML should show it: plain Python, whole numbers without a fraction."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value if isinstance(value, (bool, int, float)) else str(value)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _question(named: str, yes: list[str]) -> str:
    """Left? where yes is only a yes; Is kind spam? where it says more."""
    if len(yes) > 1:
        return f"Is {named} one of {', '.join(yes)}?"
    return f"{named}?" if yes[0].lower() in PLAIN_YES else f"Is {named} {yes[0]}?"
