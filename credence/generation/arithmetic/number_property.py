"""Statements such as 7919 is prime, or 1001 is divisible by 13."""

from functools import cache
from math import isqrt

from credence.generation.arithmetic.deterministic_random import DeterministicRandom, digit_range

PROPERTIES = ("even", "odd", "prime", "a perfect square", "divisible")
LENGTHS = (3, 4, 5, 6, 7, 8, 9)
LENGTHS_OF_PRIMES = (4, 5, 5, 6, 6, 6)
LENGTHS_OF_ROOTS = (3, 4, 4, 4, 4, 4)
# the last digit would tell whether 2, 5 or 10 divide
DIVISORS = tuple(n for n in range(3, 100) if n not in (5, 10))
SIEVED = 10**6


def make(dice: DeterministicRandom, label: bool, ordinal: int) -> tuple[str, dict[str, str]]:
    """A statement and its parts; but for parity, what lacks a property has the size and last digit of what has it."""
    name, shape = PROPERTIES[ordinal % 5], ordinal // 5
    match name:
        case "prime":
            number = _prime(dice, label, LENGTHS_OF_PRIMES[shape % len(LENGTHS_OF_PRIMES)])
        case "a perfect square":
            number = _square(dice, label, LENGTHS_OF_ROOTS[shape % len(LENGTHS_OF_ROOTS)])
        case "divisible":
            return _divisible(dice, label, LENGTHS[shape % len(LENGTHS)])
        case _:
            number = dice.digits(LENGTHS[shape % len(LENGTHS)]) // 2 * 2 + ((name == "odd") == label)
    return f"{number} is {name}", {"number": str(number), "property": name}


def _prime(dice: DeterministicRandom, label: bool, length: int) -> int:
    """A prime, or a neighbour with its last digit that is none."""
    low, high = digit_range(length)
    prime = _ring(dice.digits(length), 1, low, high, wanted=True)
    return prime if label else _ring(prime, 10 * dice.pick((1, -1)), low, high, wanted=False)


def _ring(start: int, step: int, low: int, high: int, *, wanted: bool) -> int:
    """The first number from start on, going round from low to high, that is prime, or that is not."""
    sieve, size = _sieve(), high - low + 1
    number = start
    while bool(sieve[number]) != wanted:
        number = low + (number - low + step) % size
    return number


@cache
def _sieve() -> bytearray:
    sieve = bytearray([1]) * SIEVED
    sieve[:2] = b"\0\0"
    for n in range(2, isqrt(SIEVED) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, SIEVED, n)))
    return sieve


def _square(dice: DeterministicRandom, label: bool, length: int) -> int:
    """A square, or a neighbour with its last two digits that is none."""
    low, high = (root**2 for root in digit_range(length))
    number = dice.digits(length) ** 2
    step = 100 * dice.between(1, 9) * dice.pick((1, -1))
    while not label and isqrt(number) ** 2 == number:
        number += step if low <= number + step <= high else -step
    return number


def _divisible(dice: DeterministicRandom, label: bool, length: int) -> tuple[str, dict[str, str]]:
    """A multiple, or a number at a distance of tens from one that is none."""
    low, high = digit_range(length)
    by = dice.pick(DIVISORS)
    number = dice.between(-(-low // by), high // by) * by
    if not label:
        away = dice.pick([n for n in range(10, 100, 10) if n % by]) * dice.pick((1, -1))
        number += away if low <= number + away <= high else -away
    return f"{number} is divisible by {by}", {"number": str(number), "property": "divisible", "by": str(by)}
