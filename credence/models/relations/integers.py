"""Predicates of integers, exact up to 2^53."""

import math
from math import isqrt

MAX_EXACT_INTEGER = 2**53
# Miller-Rabin with these bases is exact below 3.3e24 (Sorenson & Webster 2015).
WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def as_integer(value: float) -> int | None:
    """Convert to int; None if the value has a fraction or is too large for floats to be exact."""
    return int(value) if abs(value) < MAX_EXACT_INTEGER and value == int(value) else None


def is_prime(n: int) -> bool:
    """Return whether n is prime, by the Miller-Rabin test (Miller 1976, Rabin 1980)."""
    if n < 2 or any(n % p == 0 for p in WITNESSES):
        return n in WITNESSES
    odd, halvings = n - 1, 0
    while odd % 2 == 0:
        odd, halvings = odd // 2, halvings + 1
    return not any(_proves_composite(a, n, odd, halvings) for a in WITNESSES)


def _proves_composite(a: int, n: int, odd: int, halvings: int) -> bool:
    power = pow(a, odd, n)
    if power in (1, n - 1):
        return False
    for _ in range(halvings - 1):
        power = power * power % n
        if power == n - 1:
            return False
    return True


def is_square(n: int) -> bool:
    """Return whether n is 0, 1, 4, 9 and so on."""
    return n >= 0 and isqrt(n) ** 2 == n


def is_cube(n: int) -> bool:
    """Return whether n is 0, ±1, ±8, ±27 and so on."""
    root = round(math.cbrt(abs(n)))
    return root**3 == abs(n)


def is_triangular(n: int) -> bool:
    """Return whether n is 0, 1, 3, 6, 10 and so on."""
    return is_square(8 * n + 1)


def is_fibonacci(n: int) -> bool:
    """Return whether n is 0, 1, 2, 3, 5, 8 and so on."""
    return n >= 0 and (is_square(5 * n * n + 4) or is_square(5 * n * n - 4))


def is_power_of_two(n: int) -> bool:
    """Return whether n is 1, 2, 4, 8 and so on."""
    return n > 0 and n & (n - 1) == 0


def is_palindrome(n: int) -> bool:
    """Return whether the decimal digits of n read the same in both directions."""
    return str(abs(n)) == str(abs(n))[::-1]


def divides(a: int, b: int) -> bool:
    """Return whether b is a multiple of a; 0 divides nothing."""
    return a != 0 and b % a == 0
