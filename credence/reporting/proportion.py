"""A part of a whole: how many of how many, and between what limits the rate behind it lies."""

import numpy as np

from credence.core.registry import StrictModel
from credence.reporting.number_format import ABSENT, format_spread


class Proportion(StrictModel):
    """A count, what it is counted of, and the share with Wilson's 95 % interval; no share of nothing."""

    count: int
    of: int
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def text(self) -> str:
        """0.310 (0.198–0.457) %."""
        if self.value is None or self.low is None or self.high is None:
            return ABSENT
        return f"{format_spread(100 * self.value, 100 * self.low, 100 * self.high)} %"


def proportion(count: int, of: int) -> Proportion:
    """So many of so many."""
    if of == 0:
        return Proportion(count=count, of=0)
    low, high = wilson_interval(count, of)
    # At the ends the limits are exact; floats would leave a dust of 1e-17.
    return Proportion(count=count, of=of, value=count / of, low=low if count else 0.0, high=high if count < of else 1.0)


def wilson_interval(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share by Wilson's score."""
    share, spread = right / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / of + spread / of / 4))
    return max(0.0, middle - half), min(1.0, middle + half)
