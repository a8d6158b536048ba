"""Proportion with Wilson's 95 % interval."""

import numpy as np

from credence.core.registry import StrictModel
from credence.reporting.number_format import ABSENT, format_spread


class Proportion(StrictModel):
    """A count, its total, and their ratio with Wilson's 95 % interval; the ratio is None if the total is 0."""

    count: int
    of: int
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def text(self) -> str:
        """Ratio and interval in percent, such as 31.0 (19.8–45.7) %."""
        if self.value is None or self.low is None or self.high is None:
            return ABSENT
        return f"{format_spread(100 * self.value, 100 * self.low, 100 * self.high)} %"


def proportion(count: int, of: int) -> Proportion:
    """The proportion of `count` among `of`."""
    if of == 0:
        return Proportion(count=count, of=0)
    low, high = wilson_interval(count, of)
    # The limits are exact at the ends; floats would be off by 1e-17.
    return Proportion(count=count, of=of, value=count / of, low=low if count else 0.0, high=high if count < of else 1.0)


def wilson_interval(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a proportion; z = 1.96 gives 95 % (Wilson 1927)."""
    share, spread = right / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / of + spread / of / 4))
    return max(0.0, middle - half), min(1.0, middle + half)
