"""The range of a quantity in training, with slack on either side."""

from collections.abc import Iterable
from typing import Self

from credence.core.registry import StrictModel

SLACK_SHARE = 0.25


class ValueRange(StrictModel):
    """The smallest and largest training value; values beyond them by a quarter of the range still count as inside."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Build the range of at least one value."""
        values = list(values)
        return cls(low=float(min(values)), high=float(max(values)))

    @property
    def slack(self) -> float:
        """The accepted distance beyond the range: a quarter of it."""
        return SLACK_SHARE * (self.high - self.low)

    def above(self, value: float) -> bool:
        """Return whether a value is above the range and its slack."""
        return value > self.high + self.slack

    def below(self, value: float) -> bool:
        """Return whether a value is below the range and its slack."""
        return value < self.low - self.slack
