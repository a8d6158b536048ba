"""Predicates of one, two, three and more numbers; each returns a bool, a sign, or None if it does not apply."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod

from credence.models.relations import integers
from credence.models.relations.integers import divides

Predicate = Callable[..., bool | float | None]
TOLERANCE = 1e-14
DIVISORS = (*range(2, 13), 13, 17, 19, 23, 29, 31)
MAX_POWER = 64


def equal(p: float, q: float, size: float = 0.0) -> bool:
    """Return whether p equals q up to float rounding; False for infinities and NaN.

    Args:
        p: A number.
        q: A number.
        size: Largest magnitude that occurred in computing p and q; widens the tolerance.
    """
    bound = TOLERANCE * max(abs(p), abs(q), size)
    return math.isfinite(bound) and abs(p - q) <= bound


def order_of(p: float, q: float) -> float:
    """Return 1 if p is greater than q, -1 if it is less, 0 if both are `equal`."""
    return 0.0 if equal(p, q) else math.copysign(1.0, p - q)


def _of_integers(predicate: Callable[..., bool]) -> Predicate:
    """Restrict a predicate to integers; it does not apply to other numbers."""

    def restricted(*values: float) -> bool | None:
        ints = [integers.as_integer(value) for value in values]
        return None if None in ints else predicate(*ints)

    return restricted


def _divisible_by(q: int) -> Predicate:
    return _of_integers(lambda n: divides(q, n))


def _quotient(p: float, q: float, result: float) -> bool:
    return q != 0 and equal(p, q * result)


def _power(x: int, y: int, z: int) -> bool:
    return 0 <= y <= MAX_POWER and x**y == z


def _steps(terms: tuple[float, ...]) -> list[float]:
    return [b - a for a, b in pairwise(terms)]


def _constant(values: list[float], terms: tuple[float, ...]) -> bool:
    size = max(map(abs, terms))
    return all(equal(p, q, size) for p, q in pairwise(values))


def _constant_difference(*t: float) -> bool:
    return _constant(_steps(t), t)


def _constant_second_difference(*t: float) -> bool:
    return _constant(_steps(tuple(_steps(t))), t)


def _constant_ratio(*t: float) -> bool:
    return 0 not in t and all(equal(b * b, a * c) for a, b, c in zip(t, t[1:], t[2:], strict=False))


def _ratio_of_differences(*t: float) -> bool:
    return _constant_ratio(*_steps(t))


def _sums_of_two(*t: float) -> bool:
    return all(equal(a + b, c, abs(a)) for a, b, c in zip(t, t[1:], t[2:], strict=False))


def _differences_of_two(*t: float) -> bool:
    return all(equal(a - b, c, abs(a)) for a, b, c in zip(t, t[1:], t[2:], strict=False))


COUNT_PREDICATES: Mapping[str, Predicate] = {
    "no number": lambda n: n == 0,
    "one number": lambda n: n == 1,
    "two numbers": lambda n: n == 2,
    "three numbers": lambda n: n == 3,
    "four numbers or more": lambda n: n > 3,
}
ONE_NUMBER_PREDICATES: Mapping[str, Predicate] = {
    "sign of a": lambda a: order_of(a, 0),
    "order of a, 1": lambda a: order_of(a, 1),
    "a is whole": lambda a: a == math.floor(a),
    "a is prime": _of_integers(integers.is_prime),
    "a is a square": _of_integers(integers.is_square),
    "a is a cube": _of_integers(integers.is_cube),
    "a is a power of two": _of_integers(integers.is_power_of_two),
    "a is triangular": _of_integers(integers.is_triangular),
    "a is a Fibonacci number": _of_integers(integers.is_fibonacci),
    "a is a palindrome": _of_integers(integers.is_palindrome),
    **{f"{q} divides a": _divisible_by(q) for q in DIVISORS},
}
TWO_NUMBER_PREDICATES: Mapping[str, Predicate] = {
    "order of a, b": order_of,
    "a = b": equal,
    "a = -b": lambda a, b: equal(a, -b),
    "a = 2b": lambda a, b: equal(a, 2 * b),
    "b = 2a": lambda a, b: equal(b, 2 * a),
    "a = b²": lambda a, b: equal(a, b * b),
    "b = a²": lambda a, b: equal(b, a * a),
    "ab = 1": lambda a, b: equal(a * b, 1),
    "a + 1 = b": lambda a, b: equal(a + 1, b),
    "a divides b": _of_integers(divides),
    "b divides a": _of_integers(lambda a, b: divides(b, a)),
    "a, b have no common divisor": _of_integers(lambda a, b: math.gcd(a, b) == 1),
    "a, b are both even or both odd": _of_integers(lambda a, b: divides(2, a - b)),
}
RESULT_PREDICATES: Mapping[str, Predicate] = {
    "order of a, z": order_of,
    "a = z": equal,
}
THREE_NUMBER_PREDICATES: Mapping[str, Predicate] = {
    "order of y, z": lambda x, y, z: order_of(y, z),
    "y = z": lambda x, y, z: equal(y, z),
    "order of x + y, z": lambda x, y, z: order_of(x + y, z),
    "order of xy, z": lambda x, y, z: order_of(x * y, z),
    "x + y = z": lambda x, y, z: equal(x + y, z, abs(x)),
    "x - y = z": lambda x, y, z: equal(x - y, z, abs(x)),
    "y - x = z": lambda x, y, z: equal(y - x, z, abs(x)),
    "xy = z": lambda x, y, z: equal(x * y, z),
    "x / y = z": _quotient,
    "y / x = z": lambda x, y, z: _quotient(y, x, z),
    "x to the power of y = z": _of_integers(_power),
    "x modulo y = z": _of_integers(lambda x, y, z: y != 0 and x % y == z),
    "the greatest common divisor of x, y = z": _of_integers(lambda x, y, z: math.gcd(x, y) == z),
    "the least common multiple of x, y = z": _of_integers(lambda x, y, z: math.lcm(x, y) == z),
    "(x + y) / 2 = z": lambda x, y, z: equal(x + y, 2 * z, abs(x)),
    "2y - x = z": lambda x, y, z: equal(2 * y - x, z, abs(x)),
    "y² = xz": lambda x, y, z: equal(y * y, x * z),
    "z is between x and y": lambda x, y, z: min(x, y) < z < max(x, y),
}
SEQUENCE_PREDICATES: Mapping[str, Predicate] = {
    "constant differences": _constant_difference,
    "constant ratios": _constant_ratio,
    "each the sum of two before": _sums_of_two,
    "each the difference of two before": _differences_of_two,
    "constant second differences": _constant_second_difference,
    "constant ratios of differences": _ratio_of_differences,
    "increasing": lambda *t: all(a < b for a, b in pairwise(t)),
    "decreasing": lambda *t: all(a > b for a, b in pairwise(t)),
    "the last is the sum of all before": lambda *t: equal(sum(t[:-1]), t[-1], max(map(abs, t))),
    "the last is the product of all before": lambda *t: equal(prod(t[:-1]), t[-1]),
    "the last is the mean of all before": lambda *t: equal(sum(t[:-1]), t[-1] * (len(t) - 1), max(map(abs, t))),
    "the last is the largest before": lambda *t: equal(max(t[:-1]), t[-1]),
    "the last is the smallest before": lambda *t: equal(min(t[:-1]), t[-1]),
    "the last two are the two before": lambda *t: equal(t[-1], t[-3]) and equal(t[-2], t[-4]),
}
