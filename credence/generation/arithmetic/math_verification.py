"""Propose statements such as "417 * 23 = 9591"."""

from credence.generation.arithmetic.deterministic_random import DeterministicRandom, digit_range

OPERATORS = ("+", "-", "*", "/")
LENGTHS = tuple((left, right) for left in (2, 3, 4) for right in (2, 3, 4))


def make(dice: DeterministicRandom, label: bool, ordinal: int) -> tuple[str, dict[str, str]]:
    """Write a statement.

    A false result is the true result of a similar problem. By itself it has the same distribution as a true result,
    such as how often products end in 0.

    Args:
        dice: Source of randomness.
        label: Whether the statement is to be true.
        ordinal: Position among the statements of this label; determines operator and lengths.

    Returns:
        The statement and its parts as written.
    """
    operator = OPERATORS[ordinal % 4]
    lengths = LENGTHS[ordinal // 4 % len(LENGTHS)]
    numbers = [dice.digits(n) for n in lengths]
    left, right, result = _problem(operator, *numbers)
    if not label:
        moving = 1 if operator in "-/" else dice.between(0, 1)
        numbers[moving] = dice.moved(numbers[moving], *digit_range(lengths[moving]))
        result = _problem(operator, *numbers)[2]
    claim = {"left": str(left), "operator": operator, "right": str(right), "result": str(result)}
    return f"{left} {operator} {right} = {result}", claim


def _problem(operator: str, first: int, second: int) -> tuple[int, int, int]:
    """Return both operands and the result, all integers: differences and quotients are built from their result."""
    match operator:
        case "+":
            return first, second, first + second
        case "*":
            return first, second, first * second
        case "-":
            return first + second, first, second
        case _:
            return first * second, first, second
