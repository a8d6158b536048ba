"""The range of a quantity in training, and the room on either side that is no news yet."""

from collections.abc import Iterable
from typing import Self

from credence.core.registry import StrictModel

SLACK_SHARE = 0.25


class ValueRange(StrictModel):
    """The smallest and the largest value of training; a quarter of the range beyond them is still ordinary."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """From at least one value."""
        values = list(values)
        return cls(low=float(min(values)), high=float(max(values)))

    @property
    def slack(self) -> float:
        """How far outside is ordinary."""
        return SLACK_SHARE * (self.high - self.low)

    def above(self, value: float) -> bool:
        """Far larger than any?"""
        return value > self.high + self.slack

    def below(self, value: float) -> bool:
        """Far smaller than any?"""
        return value < self.low - self.slack
