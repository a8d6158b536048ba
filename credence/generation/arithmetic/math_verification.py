"""Statements such as 417 * 23 = 9591."""

from credence.generation.arithmetic.deterministic_random import DeterministicRandom, digit_range

OPERATORS = ("+", "-", "*", "/")
LENGTHS = tuple((left, right) for left in (2, 3, 4) for right in (2, 3, 4))


def make(dice: DeterministicRandom, label: bool, ordinal: int) -> tuple[str, dict[str, str]]:
    """A statement and its parts.

    A false result is the true result of a neighbouring problem: taken by itself it looks like any other, down to how
    often products end in 0.
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
    """Both operands and the result; what is taken away and what is divided by come first, so that all are whole."""
    match operator:
        case "+":
            return first, second, first + second
        case "*":
            return first, second, first * second
        case "-":
            return first + second, first, second
        case _:
            return first * second, first, second
