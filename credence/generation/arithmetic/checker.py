"""Compute the truth of a statement from its text alone: a closed grammar, sharing no code with the proposer."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from credence.generation.arithmetic import reference_arithmetic

# [0-9] and not \d, which matches the digits of every script
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
    """A parsed statement: its category, its parts as written, and whether it is true."""

    category: str
    claim: dict[str, Any]
    truth: bool


def check_statement(question: str) -> CheckedStatement | None:
    """Parse a statement and compute its truth; None if the text does not fit the grammar. Never raises."""
    if len(question) > MAX_CHARACTERS:
        return None
    for grammar, category, truth_of in CLAIM_CHECKERS:
        if found := grammar.fullmatch(question):
            parts: dict[str, Any] = found.groupdict()
            truth = truth_of(parts)
            claim = {**parts, "terms": parts["terms"].split(", ")} if "terms" in parts else parts
            return None if truth is None else CheckedStatement(category, claim, truth)
    return None


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
