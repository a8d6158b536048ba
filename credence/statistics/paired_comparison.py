"""Paired comparison of two predictors on the same rows, valid also if they disagree on few rows."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from credence.statistics.bootstrap import Weights
from credence.statistics.metrics import METRICS, Predictions, difference
from credence.statistics.uncertainty import Array

PSEUDO = 2  # one won and one lost row (Bonett & Price 2012)
POWER = 0.8


def alpha_for_look(look: int, alpha: float) -> float:
    """Return the significance level of the comparison number `look` (1, 2, ...): alpha * 6 / (pi * look)^2.

    The levels of all comparisons sum to alpha.
    """
    return alpha * 6 / (np.pi * look) ** 2


def alpha_left(looks: int, alpha: float) -> float:
    """Return the significance level not yet spent after `looks` comparisons."""
    return alpha - sum(alpha_for_look(k, alpha) for k in range(1, looks + 1))


@dataclass(frozen=True)
class PairedDifference:
    """A paired difference of a metric; positive means that `ours` is better.

    Attributes:
        value: The difference on all rows.
        error: Its standard error over bootstrap resamples.
        disputed: Effective number of clusters that decide it: (sum u^2)^2 / sum u^4 over the clusters' jackknife
            influences u. Equal to the count of disputed rows if all weigh the same; 0 if no row makes a difference.
        clusters: Number of jackknife groups.
        widest: Bound of the difference.
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
        """Compare two sides.

        Args:
            name: A key of `METRICS`.
            ours: Predictions of one side.
            theirs: Predictions of the other side, for the same rows.
            y: True labels, shape (rows,).
            drawn: Weights from `bootstrap_weights`, shape (resamples, rows).
            left: Weights from `jackknife_weights`, shape (groups, rows).
        """
        value, samples = difference(name, ours, theirs, y, drawn)
        defined = samples[~np.isnan(samples)]
        disputed = _effective(_influence(value, difference(name, ours, theirs, y, left)[1]))
        error = float(defined.std()) if len(defined) else 0.0
        return cls(value, error, disputed if error > 0 else 0.0, len(left), METRICS[name].widest)

    def low(self, alpha: float, margin: float = 0.0) -> float:
        """Return the lower bound; it exceeds a true difference of -margin with probability <= alpha."""
        return max(self.value - self.half_width(alpha, margin), -self.widest) if self.disputed else -self.widest

    def high(self, alpha: float) -> float:
        """Return the one-sided upper bound with confidence 1 - alpha."""
        return min(self.value + self.half_width(alpha), self.widest) if self.disputed else self.widest

    def is_better(self, alpha: float, margin: float = 0.0) -> bool:
        """Return whether ours is significantly better (margin 0), or significantly not worse by more than `margin`."""
        return self.low(alpha, margin) > -margin

    def half_width(self, alpha: float, margin: float = 0.0) -> float:
        """Return the half-width of the interval: t * step * sqrt(disputed + 2).

        Two pseudo-rows, one won and one lost, are added (Bonett & Price 2012). The degrees of freedom of t are
        Satterthwaite's. The number of disputed rows is at least the one that is likeliest if the true difference
        is -margin.
        """
        step = self.error / np.sqrt(self.disputed)
        rows = min(self._disputed_if_worse(margin / step, self.value / step), self.clusters)
        freedom = 2 / (1 / rows - 1 / (self.clusters + 1))
        return float(t.ppf(1 - alpha, freedom) * step * np.sqrt(rows + PSEUDO))

    def _disputed_if_worse(self, loss: float, gain: float) -> float:
        """Return the likeliest number of disputed rows if truly `loss` more were lost than won; observed: `gain` won.

        This is the score variance of Nam (1997) and Tango (1998), in the limit of few disputed rows among many.
        """
        won = max((self.disputed + gain) / 2, 0.0)
        likeliest = (self.disputed + np.sqrt((self.disputed - 2 * loss) ** 2 + 8 * won * loss)) / 2
        return max(self.disputed, float(likeliest))

    def detectable(self, alpha: float) -> float:
        """Return the minimum detectable difference: the true difference found significant with 80 % power."""
        return float(self.half_width(alpha) + norm.ppf(POWER) * self.error) if self.disputed else self.widest


def _influence(value: float, without: Array) -> Array:
    """Compute the influence of every cluster from the metric without it; 0 if that metric is undefined."""
    pull = (len(without) - 1) * (value - without)
    defined = ~np.isnan(pull)
    return np.where(defined, pull - pull[defined].mean(), 0.0) if defined.any() else np.zeros(len(pull))


def _effective(pull: Array) -> float:
    second, fourth = (pull**2).sum(), (pull**4).sum()
    return float(second**2 / fourth) if fourth > 0 else 0.0
