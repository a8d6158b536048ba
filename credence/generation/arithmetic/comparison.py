"""Statements such as 48.21 is at least 48.196."""

from credence.generation.arithmetic.deterministic_random import DeterministicRandom

RELATIONS = ("greater than", "less than", "at least", "at most")
FORMS = ("whole", "decimal", "fraction")
LENGTHS = (3, 4, 5, 6)
EQUAL_EVERY = 8


def make(dice: DeterministicRandom, label: bool, ordinal: int) -> tuple[str, dict[str, str]]:
    """A statement and its parts.

    One number is drawn, the other lies close above or below it, and which of them comes first is drawn too: sizes,
    lengths and relation are the same for both labels, but for their order.
    """
    relation, rest = RELATIONS[ordinal % 4], ordinal // 4
    form, rest = FORMS[rest % 3], rest // 3
    length, rest = LENGTHS[rest % 4], rest // 4
    anchor_first = dice.pick((True, False))
    wanted = relation in ("greater than", "at least")
    up = anchor_first != (wanted == label)
    may_be_equal = label == (relation in ("at least", "at most"))
    gap = 0 if may_be_equal and rest % EQUAL_EVERY == 0 else dice.between(1, 10 ** dice.between(1, length - 2))
    pair = _pair(dice, form, dice.digits(length), gap if up else -gap)
    left, right = pair if anchor_first else pair[::-1]
    return f"{left} is {relation} {right}", {"left": left, "relation": relation, "right": right}


def _pair(dice: DeterministicRandom, form: str, size: int, gap: int) -> tuple[str, str]:
    """The number drawn and the one that differs by the gap, which may be written in finer steps."""
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
