"""The checker's arithmetic, by the simplest methods and, on purpose, without code of the proposer."""

from fractions import Fraction
from itertools import pairwise


def is_prime(number: int) -> bool:
    """Return whether a non-negative integer is prime, by trial division."""
    if number < 4:
        return number >= 2
    if number % 2 == 0 or number % 3 == 0:
        return False
    divisor = 5
    while divisor * divisor <= number:
        if number % divisor == 0 or number % (divisor + 2) == 0:
            return False
        divisor += 6
    return True


def is_square(number: int) -> bool:
    """Return whether a non-negative integer is a perfect square, by bisection."""
    low, high = 0, number + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle * middle <= number else (low, middle)
    return low * low == number


def next_terms(terms: list[int]) -> Fraction | None:
    """Return the next term of a sequence; None if no rule fits all terms, or two rules disagree.

    The rules are arithmetic, geometric and Fibonacci-like (each term is the sum, or difference, of the two before).
    """
    pairs = list(pairwise(terms))
    fitting = set()
    if len({b - a for a, b in pairs}) == 1:
        fitting.add(Fraction(2 * terms[-1] - terms[-2]))
    if 0 not in terms and len({Fraction(b, a) for a, b in pairs}) == 1:
        fitting.add(Fraction(terms[-1] ** 2, terms[-2]))
    fitting |= _sums(terms)
    return fitting.pop() if len(fitting) == 1 else None


def _sums(terms: list[int]) -> set[Fraction]:
    """Return the next terms of a Fibonacci-like sequence, read forwards and backwards."""
    triples = list(zip(terms, terms[1:], terms[2:], strict=False))
    forwards = {Fraction(terms[-2] + terms[-1])} if all(a + b == c for a, b, c in triples) else set()
    backwards = {Fraction(terms[-2] - terms[-1])} if all(a - b == c for a, b, c in triples) else set()
    return forwards | backwards
