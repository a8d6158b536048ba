"""How surely the mean of a stream is above a value, at every moment and however often one looks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from credence.statistics.uncertainty import Array

STAKE_GRID = 5 * 0.5 ** np.arange(10)
MAX_STAKE = 0.9
UNSEEN = 2
MAX_LOG_WEALTH = 500.0


@dataclass(frozen=True)
class BettingWealth:
    """The log of what each of `STAKE_GRID` on "the mean is above 0" has grown to after so many units.

    `worst_case_loss` is taken off: the worst that could have happened on `UNSEEN` more units.
    """

    logs: Array
    units: int
    owed: float

    def log(self, mean: float = 0.0, times: float = 1.0) -> float:
        """The same for "the mean is above `mean`", over all bets; after `times` as many units, should they go on so."""
        grown = times * (self.logs - STAKE_GRID * self.units * mean) - STAKE_GRID * self.owed
        return float(logsumexp(grown) - np.log(len(STAKE_GRID)))

    def bound(self, alpha: float) -> float:
        """Below the mean with a chance of at least 1 - alpha, at all moments together."""
        if not self.units:
            return -np.inf
        wanted, reach = np.log(1 / alpha), 1.0
        while self.log(reach) >= wanted or self.log(-reach) < wanted:
            reach *= 2
        return float(brentq(lambda mean: self.log(mean) - wanted, -reach, reach, xtol=1e-9))


def log_wealth(values: Array, worst: Array, bet: float) -> Array:
    """The log of what one bet has grown to after every unit (the last axis); `worst` is the least each value could be.

    A unit multiplies the capital by exp(bet c) (1 + bet (value - c)), whose expectation is at most exp(bet mean) for
    every c, since 1 + x <= exp(x). c is 0, or below it where the worst value would cost more than
    `MAX_STAKE` otherwise.
    """
    centre = np.minimum(0.0, worst + MAX_STAKE / bet)
    return np.asarray(np.cumsum(bet * centre + np.log1p(bet * (values - centre)), axis=-1))


def worst_case_loss(worst: Array, unseen: int = UNSEEN) -> Array:
    """The worst that could have happened on so many more units, after every unit."""
    return np.asarray(unseen * np.maximum.accumulate(np.maximum(-worst, 0), axis=-1))


def betting_wealth(
    values: Array, worst: Array, places: NDArray[np.integer] | None = None, unseen: int = UNSEEN
) -> list[BettingWealth]:
    """The wealth after so many units as each of `places` says; after all of them where none is given."""
    at = np.array([len(values)]) if places is None else places
    logs = np.stack([np.r_[0.0, log_wealth(values, worst, bet)][at] for bet in STAKE_GRID], axis=1)
    due = np.r_[0.0, worst_case_loss(worst, unseen)][at]
    return [BettingWealth(row, int(n), float(o)) for row, n, o in zip(logs, at, due, strict=True)]


def log_wealth_path(values: Array, worst: Array, mean: Array | float = 0.0) -> Array:
    """The log of the wealth on "the mean is above `mean`" after every unit (the last axis) of many streams."""
    due, told = worst_case_loss(worst), np.cumsum(np.broadcast_to(mean, values.shape), axis=-1)
    grown = sum(
        np.exp(np.minimum(log_wealth(values, worst, bet) - bet * (told + due), MAX_LOG_WEALTH)) for bet in STAKE_GRID
    )
    return np.asarray(np.log(grown / len(STAKE_GRID)))
