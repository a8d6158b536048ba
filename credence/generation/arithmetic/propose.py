"""Propose one statement per slot: a pure function of seed, category, label, ordinal and attempt."""

from typing import Any

from credence.core.errors import InputError, did_you_mean
from credence.core.registry import StrictModel
from credence.generation.arithmetic import comparison, math_verification, number_property, pattern
from credence.generation.arithmetic.deterministic_random import DeterministicRandom

_MAKERS = {
    "math_verification": math_verification.make,
    "comparison": comparison.make,
    "number_property": number_property.make,
    "pattern": pattern.make,
}
CATEGORIES = tuple(_MAKERS)


class Statement(StrictModel):
    """A statement, its parts as written in it, and whether it is true."""

    category: str
    question: str
    claim: dict[str, Any]
    answer: bool


def propose_statement(seed: int, category: str, label: bool, ordinal: int, attempt: int = 0) -> Statement:
    """Propose the statement of a slot.

    Operator, relation, property, rule and length depend on the ordinal only. So both labels have the same
    distribution of them, also after duplicates are replaced.

    Args:
        seed: Seed of the data set.
        category: One of `CATEGORIES`.
        label: Whether the statement is to be true.
        ordinal: Position of the slot in its category and label, from 0.
        attempt: Try number, from 0; each gives another statement of the same shape.

    Raises:
        InputError: The category is unknown, or ordinal or attempt is negative.
    """
    if category not in _MAKERS:
        raise InputError(f"no category {category!r}. {did_you_mean(category, CATEGORIES)}")
    if ordinal < 0 or attempt < 0:
        raise InputError(f"ordinal {ordinal} and attempt {attempt} were given; expected whole numbers from 0.")
    dice = DeterministicRandom(seed, category, "yes" if label else "no", ordinal, attempt)
    question, claim = _MAKERS[category](dice, label, ordinal)
    return Statement(category=category, question=question, claim=claim, answer=label)
