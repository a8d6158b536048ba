"""Any statistic of row weights with its 95 % interval from the paired resamples that everything in a report shares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from credence.kinds import Strict
from credence.metrics import METRICS, estimate
from credence.report.selective import Statistic
from credence.report.wording import span, spread
from credence.uncertainty import Array

CELLS_AT_ONCE = 4_000_000
LEVEL = 0.95


class Measure(Strict):
    """A number, its 95 % interval and the rows it rests on; nothing where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int

    def text(self) -> str:
        """0.981 (0.950–0.996)."""
        return spread(self.value, self.low, self.high)

    def ends(self) -> str:
        """0.950 to 0.996."""
        return span(self.value, self.low, self.high)


def scored(name: str, p: Array, yes: NDArray[Any], y: NDArray[Any], w: NDArray[Any]) -> Measure:
    """One of METRICS over all rows, with its interval; that of the calibration error is centred."""
    if name == "ece":
        return measures(lambda chunk: {name: METRICS[name].of(p, yes, y, chunk)}, w, centred=True)[name]
    found = estimate(name, p, yes, y, w)
    return Measure(value=finite(found.value), low=finite(found.low), high=finite(found.high), n=len(y))


def measures(statistic: Statistic, w: NDArray[Any], centred: bool = False) -> dict[str, Measure]:
    """Every value that the statistic holds, over all rows and with its interval over the resamples w (resamples, rows).

    `centred` is for errors that resampling itself inflates, as it does every calibration error: the resamples are moved
    by their mean's distance from the value, and stay at or above 0 where the value does.
    """
    whole = statistic(np.ones((1, w.shape[1]), dtype=np.int64))
    size = max(1, CELLS_AT_ONCE // w.shape[1])
    parts = [statistic(w[first : first + size]) for first in range(0, len(w), size)]
    samples = {name: np.concatenate([part[name] for part in parts]) for name in whole}
    return {name: _measure(float(whole[name][0]), samples[name], w.shape[1], centred) for name in whole}


def _measure(value: float, samples: Array, n: int, centred: bool) -> Measure:
    known = samples[np.isfinite(samples)]
    if not len(known) or not np.isfinite(value):
        return Measure(value=finite(value), n=n)
    if centred:
        known = np.maximum(known + value - known.mean(), 0 if value >= 0 else -np.inf)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Measure(value=value, low=min(float(low), value), high=max(float(high), value), n=n)


def finite(x: float | None) -> float | None:
    """The number, or nothing where it is not one."""
    return float(x) if x is not None and np.isfinite(x) else None
