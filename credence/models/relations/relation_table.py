"""The relations: 1 where one holds, -1 where it does not, 0 where it does not apply.

In their names `a` and `b` are the first two numbers of a text, `z` is the last, `x` and `y` are the two before it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from credence.core.errors import InputError
from credence.models.relations.predicates import (
    COUNT_PREDICATES,
    ONE_NUMBER_PREDICATES,
    RESULT_PREDICATES,
    SEQUENCE_PREDICATES,
    THREE_NUMBER_PREDICATES,
    TWO_NUMBER_PREDICATES,
    Predicate,
)
from credence.statistics.uncertainty import Array

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
TENS = tuple(10**k for k in range(10))
PERIODS = np.array([*PRIMES, *TENS], dtype=np.float64)
FONE_WIDTH = 2 * len(PERIODS) + 3
MAX_ROOT = 1000.0


def fone(value: float) -> Array:
    """Sine and cosine at the prime periods 2 to 31 and at 1, 10, … 10⁹, then log(1 + |value|) / 10, the root of |value|
    in thousands (at most 1) and the sign; shape (FONE_WIDTH,). The remainders are exact for every float.
    """
    turn = 2 * np.pi * np.fmod(value, PERIODS) / PERIODS
    size = [math.log1p(abs(value)) / 10, min(math.sqrt(abs(value)) / MAX_ROOT, 1.0), float(np.sign(value))]
    return np.concatenate([np.sin(turn), np.cos(turn), size])


MAX_NUMBERS = 6
Terms = Sequence[float]


class _Group(NamedTuple):
    """Questions about those of the numbers that `pick` takes, asked where there are enough of them."""

    fewest: int
    pick: Callable[[Terms], Terms]
    asks: Mapping[str, Predicate]

    def answers(self, values: Terms) -> list[float]:
        if len(values) < self.fewest:
            return [0.0] * len(self.asks)
        picked = self.pick(values)
        return [_number(ask(*picked)) for ask in self.asks.values()]


def _number(answer: bool | float | None) -> float:
    """1 for yes, -1 for no, 0 for a question that does not apply; a sign is itself."""
    if isinstance(answer, bool):
        return 1.0 if answer else -1.0
    return float(answer or 0)


PREDICATE_GROUPS = (
    _Group(0, lambda values: [len(values)], COUNT_PREDICATES),
    _Group(1, lambda values: values[:1], ONE_NUMBER_PREDICATES),
    _Group(2, lambda values: values[:2], TWO_NUMBER_PREDICATES),
    _Group(3, lambda values: (values[0], values[-1]), RESULT_PREDICATES),
    _Group(3, lambda values: values[-3:], THREE_NUMBER_PREDICATES),
    _Group(4, lambda values: values[-MAX_NUMBERS:], SEQUENCE_PREDICATES),
)
RELATION_NAMES: tuple[str, ...] = tuple(name for group in PREDICATE_GROUPS for name in group.asks)


def relation_vector(values: Terms) -> Array:
    """The relations of numbers in the order of NAMES, float64, shape (len(NAMES),), each in [-1, 1].

    Asks about the first two and the last MOST of them. Floats are equal where only rounding tells them apart. BadInput
    for infinities and NaN, which `numbers` never gives.
    """
    if not all(map(math.isfinite, values)):
        raise InputError(f"the numbers {list(values)} were given; expected finite ones: leave out infinities and NaN.")
    return np.array([answer for group in PREDICATE_GROUPS for answer in group.answers(values)], dtype=np.float64)
