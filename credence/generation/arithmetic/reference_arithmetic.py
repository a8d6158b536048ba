"""The facts that statements are checked against, worked out again by the plainest means; part of the checker."""

from fractions import Fraction
from itertools import pairwise


def is_prime(number: int) -> bool:
    """Whether no smaller number but 1 divides it, by trial."""
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
    """Whether some whole number times itself gives it, by halving the interval that such a number must lie in."""
    low, high = 0, number + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle * middle <= number else (low, middle)
    return low * low == number


def next_terms(terms: list[int]) -> Fraction | None:
    """The next term, where one of the three rules fits all terms and no other says otherwise; else None."""
    pairs = list(pairwise(terms))
    fitting = set()
    if len({b - a for a, b in pairs}) == 1:
        fitting.add(Fraction(2 * terms[-1] - terms[-2]))
    if 0 not in terms and len({Fraction(b, a) for a, b in pairs}) == 1:
        fitting.add(Fraction(terms[-1] ** 2, terms[-2]))
    fitting |= _sums(terms)
    return fitting.pop() if len(fitting) == 1 else None


def _sums(terms: list[int]) -> set[Fraction]:
    """The next sum of two neighbours, forwards or, where every term is what the next two differ by, backwards."""
    triples = list(zip(terms, terms[1:], terms[2:], strict=False))
    forwards = {Fraction(terms[-2] + terms[-1])} if all(a + b == c for a, b, c in triples) else set()
    backwards = {Fraction(terms[-2] - terms[-1])} if all(a - b == c for a, b, c in triples) else set()
    return forwards | backwards
