"""Propose statements such as "the sequence 2, 8, 14, 20 continues with 26"."""

from credence.generation.arithmetic.deterministic_random import DeterministicRandom, digit_range

RULES = ("arithmetic", "geometric", "fibonacci")
SHOWN = (4, 5, 6)
START_LENGTHS = (1, 2, 3)
RATIOS = (2, 12)


def make(dice: DeterministicRandom, label: bool, ordinal: int) -> tuple[str, dict[str, str | list[str]]]:
    """Write a statement.

    A false next term is the true next term of a similar sequence of the same rule.

    Args:
        dice: Source of randomness.
        label: Whether the statement is to be true.
        ordinal: Position among the statements of this label; determines rule, length and direction.

    Returns:
        The statement and its parts as written.
    """
    rule, rest = RULES[ordinal % 3], ordinal // 3
    shown, rest = SHOWN[rest % 3], rest // 3
    falling = bool(rest % 2)
    ranges = _ranges(rule, START_LENGTHS[rest // 2 % 3])
    first, second = (dice.between(*r) for r in ranges)
    *terms, following = _sequence(rule, first, second, shown + 1, falling)
    if not label:
        following = _sequence(rule, dice.moved(first, *ranges[0]), second, shown + 1, falling)[-1]
    written = [str(t) for t in terms]
    return (
        f"the sequence {', '.join(written)} continues with {following}",
        {"terms": written, "next": str(following)},
    )


def _ranges(rule: str, length: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the ranges of the first term and of the second parameter: step, ratio or second term."""
    if rule == "geometric":
        return digit_range(length + 2), RATIOS
    return (
        (digit_range(length + 1), digit_range(length + 1))
        if rule == "fibonacci"
        else (digit_range(length + 1), digit_range(length))
    )


def _sequence(rule: str, first: int, second: int, count: int, falling: bool) -> list[int]:
    """Compute `count` terms, reversed if `falling`."""
    terms = [first, second]
    for _ in range(count):
        terms.append(terms[-1] + terms[-2])
    if rule == "arithmetic":
        terms = [first + n * second for n in range(count)]
    if rule == "geometric":
        terms = [first * second**n for n in range(count)]
    return terms[:count][::-1] if falling else terms[:count]
