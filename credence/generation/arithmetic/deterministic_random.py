"""Random numbers that depend on a key only: equal on every machine and in every version of Python."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
STEPS = (1, 2, 3, 4, 5, 7, 9, 10, 11, 20, 30, 90, 100, 110, 200, 1000)


class DeterministicRandom:
    """A stream of random numbers; equal keys give equal streams."""

    def __init__(self, *key: int | str) -> None:
        self._key = json.dumps(key).encode()
        self._turn = 0

    def between(self, low: int, high: int) -> int:
        """Draw an integer from `low` to `high` (inclusive), uniformly."""
        self._turn += 1
        drawn = blake2b(b"%d:%b" % (self._turn, self._key), digest_size=16).digest()
        return low + int.from_bytes(drawn, "big") % (high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """Draw one of the options, uniformly."""
        return options[self.between(0, len(options) - 1)]

    def digits(self, count: int) -> int:
        """Draw an integer with `count` digits, uniformly."""
        return self.between(*digit_range(count))

    def moved(self, value: int, low: int, high: int) -> int:
        """Draw another integer from `low` to `high`, mostly close to `value`.

        The range wraps around. So if `value` is uniform, the result is uniform too, and neither its size nor its last
        digit reveals that it was moved.
        """
        size = high - low + 1
        step = self.pick([s for s in STEPS if s < size]) * self.pick((1, -1))
        return low + (value - low + step) % size


def digit_range(count: int) -> tuple[int, int]:
    """Return the smallest and the largest integer with `count` digits."""
    return 10 ** (count - 1), 10**count - 1
