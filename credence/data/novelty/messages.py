"""The sentences that say why a text is unlike those of training."""

import re

from credence.data.novelty.value_range import ValueRange

FIGURE = re.compile(r"[-−]?\d[\d,.]*(?:e[+-]\d+)?")


def length_out_of_range(limits: ValueRange, value: float, unit: str) -> list[str]:
    """The text has far more or far fewer of a unit than any of training."""
    if limits.above(value):
        return [f"the text is longer than any in training ({value:,.0f} {unit}s, at most {limits.high:,.0f} there)"]
    if limits.below(value):
        return [f"the text is shorter than any in training ({value:,.0f} {unit}s, at least {limits.low:,.0f} there)"]
    return []


def too_many_new_words(new: float, words: float) -> str:
    """So many of the different words are new."""
    return f"{new / words:.0%} of the words were never seen in training".replace("%", " %")


def number_out_of_range(limits: ValueRange, numbers: list[float], quote: bool) -> list[str]:
    """A number of the text lies far above, or far below, all those of training texts."""
    found = []
    if numbers and limits.above(max(numbers)):
        found.append(f"{_named(max(numbers), quote)} is larger than any in training ({_spelled(limits.high)})")
    if numbers and limits.below(min(numbers)):
        found.append(f"{_named(min(numbers), quote)} is smaller than any in training ({_spelled(limits.low)})")
    return found


def low_density(share: float) -> str:
    """So few rows held out from training lie where rows are as sparse."""
    return f"it lies far from the rows of training ({share:.1%} of those held out lie as far)".replace("%", " %")


def without_figures(reason: str) -> str:
    """The reason without its figures, so that like reasons can be counted; one that names a column stays as it is."""
    return reason if ": " in reason else FIGURE.sub("…", reason)


def _named(value: float, quote: bool) -> str:
    return f"the number {_spelled(value)}" if quote else "a number"


def _spelled(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.6g}"
