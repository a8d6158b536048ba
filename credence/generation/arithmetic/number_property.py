"""Propose statements such as "7919 is prime" or "1001 is divisible by 13"."""

from functools import cache
from math import isqrt

from credence.generation.arithmetic.deterministic_random import DeterministicRandom, digit_range

PROPERTIES = ("even", "odd", "prime", "a perfect square", "divisible")
LENGTHS = (3, 4, 5, 6, 7, 8, 9)
LENGTHS_OF_PRIMES = (4, 5, 5, 6, 6, 6)
LENGTHS_OF_ROOTS = (3, 4, 4, 4, 4, 4)
# without 2, 5 and 10, because the last digit reveals whether they divide
DIVISORS = tuple(n for n in range(3, 100) if n not in (5, 10))
SIEVED = 10**6


def make(dice: DeterministicRandom, label: bool, ordinal: int) -> tuple[str, dict[str, str]]:
    """Write a statement.

    Numbers without a property have the sizes and last digits of numbers with it, except for even and odd.

    Args:
        dice: Source of randomness.
        label: Whether the statement is to be true.
        ordinal: Position among the statements of this label; determines property and length.

    Returns:
        The statement and its parts as written.
    """
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
    """Draw a prime, or a nearby composite with the same last digit."""
    low, high = digit_range(length)
    prime = _next_in_range(dice.digits(length), 1, low, high, prime=True)
    return prime if label else _next_in_range(prime, 10 * dice.pick((1, -1)), low, high, prime=False)


def _next_in_range(start: int, step: int, low: int, high: int, *, prime: bool) -> int:
    """Find the first prime, or the first composite, from `start` on, wrapping around at `high`."""
    sieve, size = _sieve(), high - low + 1
    number = start
    while bool(sieve[number]) != prime:
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
    """Draw a square, or a nearby non-square with the same last two digits."""
    low, high = (root**2 for root in digit_range(length))
    number = dice.digits(length) ** 2
    step = 100 * dice.between(1, 9) * dice.pick((1, -1))
    while not label and isqrt(number) ** 2 == number:
        number += step if low <= number + step <= high else -step
    return number


def _divisible(dice: DeterministicRandom, label: bool, length: int) -> tuple[str, dict[str, str]]:
    """Write a statement about a multiple, or about a nearby non-multiple with the same last digit."""
    low, high = digit_range(length)
    by = dice.pick(DIVISORS)
    number = dice.between(-(-low // by), high // by) * by
    if not label:
        step = dice.pick([n for n in range(10, 100, 10) if n % by]) * dice.pick((1, -1))
        number += step if low <= number + step <= high else -step
    return f"{number} is divisible by {by}", {"number": str(number), "property": "divisible", "by": str(by)}
