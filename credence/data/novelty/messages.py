"""Sentences that explain why an input differs from the training rows."""

import re

from credence.data.novelty.value_range import ValueRange

FIGURE = re.compile(r"[-−]?\d[\d,.]*(?:e[+-]\d+)?")


def length_out_of_range(limits: ValueRange, value: float, unit: str) -> list[str]:
    """Return why a text's length is out of range, or an empty list; `unit` is "character" or "word"."""
    if limits.above(value):
        return [f"the text is longer than any in training ({value:,.0f} {unit}s, at most {limits.high:,.0f} there)"]
    if limits.below(value):
        return [f"the text is shorter than any in training ({value:,.0f} {unit}s, at least {limits.low:,.0f} there)"]
    return []


def too_many_new_words(new: float, words: float) -> str:
    """Return the sentence about `new` unseen words among `words` distinct ones."""
    return f"{new / words:.0%} of the words were never seen in training".replace("%", " %")


def number_out_of_range(limits: ValueRange, numbers: list[float], quote: bool) -> list[str]:
    """Return why numbers of a text are out of range, at most two sentences; `quote` allows to name the numbers."""
    found = []
    if numbers and limits.above(max(numbers)):
        found.append(f"{_number_name(max(numbers), quote)} is larger than any in training ({_format(limits.high)})")
    if numbers and limits.below(min(numbers)):
        found.append(f"{_number_name(min(numbers), quote)} is smaller than any in training ({_format(limits.low)})")
    return found


def low_density(share: float) -> str:
    """Return the sentence about a low feature density; `share` of the held-out rows have one as low."""
    return f"it lies far from the rows of training ({share:.1%} of those held out lie as far)".replace("%", " %")


def without_figures(reason: str) -> str:
    """Replace the numbers of a reason by …, to count equal reasons; a reason that names a column stays unchanged."""
    return reason if ": " in reason else FIGURE.sub("…", reason)


def _number_name(value: float, quote: bool) -> str:
    return f"the number {_format(value)}" if quote else "a number"


def _format(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.6g}"
