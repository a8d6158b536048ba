"""Random numbers that are a function of their key alone: the same on every machine and in every version of Python."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
STEPS = (1, 2, 3, 4, 5, 7, 9, 10, 11, 20, 30, 90, 100, 110, 200, 1000)


class DeterministicRandom:
    """A stream of throws; two dice of one key throw alike."""

    def __init__(self, *key: int | str) -> None:
        self._key = json.dumps(key).encode()
        self._turn = 0

    def between(self, low: int, high: int) -> int:
        """A number from low to high, each equally likely."""
        self._turn += 1
        drawn = blake2b(b"%d:%b" % (self._turn, self._key), digest_size=16).digest()
        return low + int.from_bytes(drawn, "big") % (high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.between(0, len(options) - 1)]

    def digits(self, count: int) -> int:
        """A number of so many digits."""
        return self.between(*digit_range(count))

    def moved(self, value: int, low: int, high: int) -> int:
        """Another number from low to high, mostly near by.

        The range is a ring: where the value is equally likely to be anywhere, so is the other, and neither its size nor
        its last digit tells that it was moved.
        """
        size = high - low + 1
        step = self.pick([s for s in STEPS if s < size]) * self.pick((1, -1))
        return low + (value - low + step) % size


def digit_range(count: int) -> tuple[int, int]:
    """The smallest and the largest number of so many digits."""
    return 10 ** (count - 1), 10**count - 1
