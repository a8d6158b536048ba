"""How surely one side is better than the other on the same rows, also where few of them are in dispute."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from credence.statistics.bootstrap import Weights
from credence.statistics.metrics import METRICS, Predictions, difference
from credence.statistics.uncertainty import Array

PSEUDO = 2
POWER = 0.8


def alpha_for_look(look: int, alpha: float) -> float:
    """What look number `look` (1, 2, ...) may spend: alpha * 6 / (pi * look)^2; over all looks that sums to alpha."""
    return alpha * 6 / (np.pi * look) ** 2


def alpha_left(looks: int, alpha: float) -> float:
    """What of alpha is left for later looks."""
    return alpha - sum(alpha_for_look(k, alpha) for k in range(1, looks + 1))


@dataclass(frozen=True)
class PairedDifference:
    """A difference (positive: ours is better) with its bootstrap error, and how many clusters really decide it.

    `disputed` is that effective number, (sum u^2)^2 / sum u^4 over the clusters' jackknife influences u: the count of
    disputed rows where each weighs the same, fewer where a few weigh most; 0 where no row makes a difference.
    """

    value: float
    error: float
    disputed: float
    clusters: int
    widest: float

    @classmethod
    def of(
        cls, name: str, ours: Predictions, theirs: Predictions, y: NDArray[Any], drawn: Weights, left: Weights
    ) -> Self:
        """Compare two sides by a metric, from bootstrap and jackknife weights (`bootstrap.weights`, `.left_out`)."""
        value, samples = difference(name, ours, theirs, y, drawn)
        defined = samples[~np.isnan(samples)]
        disputed = _effective(_influence(value, difference(name, ours, theirs, y, left)[1]))
        error = float(defined.std()) if len(defined) else 0.0
        return cls(value, error, disputed if error > 0 else 0.0, len(left), METRICS[name].widest)

    def low(self, alpha: float, margin: float = 0.0) -> float:
        """The lower bound: a true difference of -margin lies below it with a chance of at least 1 - alpha."""
        return max(self.value - self.upper_bound(alpha, margin), -self.widest) if self.disputed else -self.widest

    def high(self, alpha: float) -> float:
        """The upper bound."""
        return min(self.value + self.upper_bound(alpha), self.widest) if self.disputed else self.widest

    def is_better(self, alpha: float, margin: float = 0.0) -> bool:
        """Is ours surely better (margin 0), or surely not worse by more than the margin?"""
        return self.low(alpha, margin) > -margin

    def upper_bound(self, alpha: float, margin: float = 0.0) -> float:
        """How far luck may carry the difference: t * step * sqrt(disputed + 2), the error with two disputed rows added.

        Bonett & Price (2012) add one won and one lost row; Satterthwaite's degrees of freedom say how well so few rows
        tell their own spread; and there are no fewer of them than a true loss of `margin` makes likely.
        """
        step = self.error / np.sqrt(self.disputed)
        rows = min(self._disputed_if_worse(margin / step, self.value / step), self.clusters)
        freedom = 2 / (1 / rows - 1 / (self.clusters + 1))
        return float(t.ppf(1 - alpha, freedom) * step * np.sqrt(rows + PSEUDO))

    def _disputed_if_worse(self, loss: float, gain: float) -> float:
        """The likeliest number of disputed rows if `loss` more were truly lost than won, where `gain` more were won.

        The score variance of Nam (1997) and Tango (1998), in the limit of few disputed rows among many.
        """
        won = max((self.disputed + gain) / 2, 0.0)
        likeliest = (self.disputed + np.sqrt((self.disputed - 2 * loss) ** 2 + 8 * won * loss)) / 2
        return max(self.disputed, float(likeliest))

    def detectable(self, alpha: float) -> float:
        """The true difference that would be found surely better in four of five such test parts."""
        return float(self.upper_bound(alpha) + norm.ppf(POWER) * self.error) if self.disputed else self.widest


def _influence(value: float, without: Array) -> Array:
    """How much each cluster pulls the metric, from the metric without it; 0 where leaving it out leaves none."""
    pull = (len(without) - 1) * (value - without)
    defined = ~np.isnan(pull)
    return np.where(defined, pull - pull[defined].mean(), 0.0) if defined.any() else np.zeros(len(pull))


def _effective(pull: Array) -> float:
    second, fourth = (pull**2).sum(), (pull**4).sum()
    return float(second**2 / fourth) if fourth > 0 else 0.0
