"""Propose statements such as "48.21 is at least 48.196"."""

from credence.generation.arithmetic.deterministic_random import DeterministicRandom

RELATIONS = ("greater than", "less than", "at least", "at most")
FORMS = ("whole", "decimal", "fraction")
LENGTHS = (3, 4, 5, 6)
EQUAL_EVERY = 8


def make(dice: DeterministicRandom, label: bool, ordinal: int) -> tuple[str, dict[str, str]]:
    """Write a statement.

    One number is drawn, the other is close above or below it, and their order is drawn too. So sizes, lengths and
    relations have the same distribution for both labels.

    Args:
        dice: Source of randomness.
        label: Whether the statement is to be true.
        ordinal: Position among the statements of this label; determines relation, form and length.

    Returns:
        The statement and its parts as written.
    """
    relation, rest = RELATIONS[ordinal % 4], ordinal // 4
    form, rest = FORMS[rest % 3], rest // 3
    length, rest = LENGTHS[rest % 4], rest // 4
    anchor_first = dice.pick((True, False))
    left_is_larger = (relation in ("greater than", "at least")) == label
    up = anchor_first != left_is_larger
    may_be_equal = label == (relation in ("at least", "at most"))
    gap = 0 if may_be_equal and rest % EQUAL_EVERY == 0 else dice.between(1, 10 ** dice.between(1, length - 2))
    pair = _pair(dice, form, dice.digits(length), gap if up else -gap)
    left, right = pair if anchor_first else pair[::-1]
    return f"{left} is {relation} {right}", {"left": left, "relation": relation, "right": right}


def _pair(dice: DeterministicRandom, form: str, size: int, gap: int) -> tuple[str, str]:
    """Write the drawn number and the one that differs by the gap, which may have one more decimal place."""
    if form == "whole":
        return str(size), str(size + gap)
    if form == "decimal":
        places, finer = dice.between(1, 3), dice.between(0, 1)
        return _decimal(size, places), _decimal(size * 10**finer + gap, places + finer)
    below, times = dice.between(2, 99), dice.between(1, 9)
    return f"{size}/{below}", f"{size * times + gap}/{below * times}"


def _decimal(size: int, places: int) -> str:
    whole, part = divmod(size, 10**places)
    return f"{whole}.{part:0{places}d}"
