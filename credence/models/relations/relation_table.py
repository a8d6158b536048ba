"""The table of relations between the numbers of a text: 1 if one holds, -1 if not, 0 if it does not apply.

In their names, `a` and `b` are the first two numbers of a text. `z` is the last one; `x` and `y` are the two before it.
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
    """Return the Fourier features of a number (FoNE, arXiv 2502.09741), extended by its size.

    Returns:
        Shape (FONE_WIDTH,): sines, then cosines, at the prime periods 2 to 31 and at 1, 10, … 10⁹; log(1 + |value|) /
        10; min(sqrt(|value|) / 1000, 1); the sign. Remainders are exact for every float.
    """
    turn = 2 * np.pi * np.fmod(value, PERIODS) / PERIODS
    size = [math.log1p(abs(value)) / 10, min(math.sqrt(abs(value)) / MAX_ROOT, 1.0), float(np.sign(value))]
    return np.concatenate([np.sin(turn), np.cos(turn), size])


MAX_NUMBERS = 6
Terms = Sequence[float]


class _Group(NamedTuple):
    """Predicates of the numbers that `pick` selects; 0 if a text has fewer than `min_numbers`."""

    min_numbers: int
    pick: Callable[[Terms], Terms]
    predicates: Mapping[str, Predicate]

    def evaluate(self, values: Terms) -> list[float]:
        if len(values) < self.min_numbers:
            return [0.0] * len(self.predicates)
        picked = self.pick(values)
        return [_as_feature(predicate(*picked)) for predicate in self.predicates.values()]


def _as_feature(result: bool | float | None) -> float:
    """Return 1 for True, -1 for False, 0 for None; a sign is unchanged."""
    if isinstance(result, bool):
        return 1.0 if result else -1.0
    return float(result or 0)


PREDICATE_GROUPS = (
    _Group(0, lambda values: [len(values)], COUNT_PREDICATES),
    _Group(1, lambda values: values[:1], ONE_NUMBER_PREDICATES),
    _Group(2, lambda values: values[:2], TWO_NUMBER_PREDICATES),
    _Group(3, lambda values: (values[0], values[-1]), RESULT_PREDICATES),
    _Group(3, lambda values: values[-3:], THREE_NUMBER_PREDICATES),
    _Group(4, lambda values: values[-MAX_NUMBERS:], SEQUENCE_PREDICATES),
)
RELATION_NAMES: tuple[str, ...] = tuple(name for group in PREDICATE_GROUPS for name in group.predicates)


def relation_vector(values: Terms) -> Array:
    """Compute all relations of the first two and the last MAX_NUMBERS numbers.

    Args:
        values: Finite numbers; compared up to float rounding.

    Returns:
        Values in {-1, 0, 1} in the order of RELATION_NAMES, float64, shape (len(RELATION_NAMES),).

    Raises:
        InputError: A number is infinite or NaN.
    """
    if not all(map(math.isfinite, values)):
        raise InputError(f"the numbers {list(values)} were given; expected finite ones: leave out infinities and NaN.")
    return np.array([value for group in PREDICATE_GROUPS for value in group.evaluate(values)], dtype=np.float64)
