"""Truth from the text alone: a closed grammar, read and worked out without the code that proposes statements."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from credence.generation.arithmetic import reference_arithmetic

# [0-9] and not \d, which takes the digits of every script
WHOLE = r"-?(?:0|[1-9][0-9]{0,17})"
NATURAL = r"(?:0|[1-9][0-9]{0,8})"
RATIONAL = rf"{WHOLE}(?:\.[0-9]{{1,9}}|/[1-9][0-9]{{0,17}})?"
CALCULATION = re.compile(rf"(?P<left>{RATIONAL}) (?P<operator>[-+*/]) (?P<right>{RATIONAL}) = (?P<result>{RATIONAL})")
COMPARISON = re.compile(
    rf"(?P<left>{RATIONAL}) is (?P<relation>greater than|less than|at least|at most) (?P<right>{RATIONAL})"
)
PROPERTY = re.compile(rf"(?P<number>{NATURAL}) is (?P<property>even|odd|prime|a perfect square)")
DIVISIBILITY = re.compile(rf"(?P<number>{NATURAL}) is (?P<property>divisible) by (?P<by>[1-9][0-9]{{0,8}})")
SEQUENCE = re.compile(rf"the sequence (?P<terms>{WHOLE}(?:, {WHOLE}){{3,11}}) continues with (?P<next>{WHOLE})")
MAX_CHARACTERS = 400


class CheckedStatement(NamedTuple):
    """What a statement says, part by part as it is written, and whether that is so."""

    category: str
    claim: dict[str, Any]
    truth: bool


def check_statement(question: str) -> CheckedStatement | None:
    """The statement worked out, or None for every text that is not of the grammar; never an exception."""
    if len(question) > MAX_CHARACTERS:
        return None
    for grammar, category, work_out in CLAIM_CHECKERS:
        if found := grammar.fullmatch(question):
            return _checked(category, work_out, found.groupdict())
    return None


def _checked(
    category: str, work_out: Callable[[dict[str, str]], bool | None], parts: dict[str, str]
) -> CheckedStatement | None:
    true = work_out(parts)
    claim = {**parts, "terms": parts["terms"].split(", ")} if "terms" in parts else parts
    return None if true is None else CheckedStatement(category, claim, true)


def _calculation(parts: dict[str, str]) -> bool | None:
    left, right, result = (Fraction(parts[p]) for p in ("left", "right", "result"))
    match parts["operator"]:
        case "+":
            return left + right == result
        case "-":
            return left - right == result
        case "*":
            return left * right == result
        case _:
            return None if right == 0 else left / right == result


def _comparison(parts: dict[str, str]) -> bool:
    left, right = Fraction(parts["left"]), Fraction(parts["right"])
    match parts["relation"]:
        case "greater than":
            return left > right
        case "less than":
            return left < right
        case "at least":
            return left >= right
        case _:
            return left <= right


def _property(parts: dict[str, str]) -> bool:
    number = int(parts["number"])
    match parts["property"]:
        case "even":
            return number % 2 == 0
        case "odd":
            return number % 2 == 1
        case "prime":
            return reference_arithmetic.is_prime(number)
        case _:
            return reference_arithmetic.is_square(number)


def _divisibility(parts: dict[str, str]) -> bool:
    return int(parts["number"]) % int(parts["by"]) == 0


def _sequence(parts: dict[str, str]) -> bool | None:
    following = reference_arithmetic.next_terms([int(t) for t in parts["terms"].split(", ")])
    return None if following is None else following == int(parts["next"])


CLAIM_CHECKERS: tuple[tuple[re.Pattern[str], str, Callable[[dict[str, str]], bool | None]], ...] = (
    (CALCULATION, "math_verification", _calculation),
    (COMPARISON, "comparison", _comparison),
    (PROPERTY, "number_property", _property),
    (DIVISIBILITY, "number_property", _divisibility),
    (SEQUENCE, "pattern", _sequence),
)
