"""Betting confidence sequences: bounds of a stream's mean that stay valid under continuous monitoring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from credence.statistics.uncertainty import Array

STAKE_GRID = 5 * 0.5 ** np.arange(10)
MAX_STAKE = 0.9  # share of the capital that the worst value may cost
UNSEEN = 2  # future units whose worst case is deducted
MAX_LOG_WEALTH = 500.0  # exp(500) is still a finite double


@dataclass(frozen=True)
class BettingWealth:
    """Log wealth of bets against the hypothesis mean <= 0 after `units` units.

    `logs` has one value per stake in `STAKE_GRID`, before `owed`, the `worst_case_loss`, is deducted.
    """

    logs: Array
    units: int
    owed: float

    def log(self, mean: float = 0.0, times: float = 1.0) -> float:
        """Return the log wealth against the hypothesis mean <= `mean`, averaged over all stakes.

        Args:
            mean: The hypothesized mean.
            times: Extrapolate to this multiple of the units seen.
        """
        grown = times * (self.logs - STAKE_GRID * self.units * mean) - STAKE_GRID * self.owed
        return float(logsumexp(grown) - np.log(len(STAKE_GRID)))

    def bound(self, alpha: float) -> float:
        """Return a lower bound of the mean with confidence 1 - alpha, simultaneously at all times."""
        if not self.units:
            return -np.inf
        wanted, reach = np.log(1 / alpha), 1.0
        while self.log(reach) >= wanted or self.log(-reach) < wanted:
            reach *= 2
        return float(brentq(lambda mean: self.log(mean) - wanted, -reach, reach, xtol=1e-9))


def log_wealth(values: Array, worst: Array, bet: float) -> Array:
    """Return the log wealth of one stake after every unit, along the last axis.

    A unit multiplies the capital by exp(bet c) (1 + bet (value - c)). Its expectation is at most exp(bet mean) for
    every c, since 1 + x <= exp(x). c is 0, or negative if the worst value would otherwise cost more than
    `MAX_STAKE`.

    Args:
        values: The stream, shape (..., units).
        worst: Lower bound of each value, same shape.
        bet: The stake.
    """
    centre = np.minimum(0.0, worst + MAX_STAKE / bet)
    return np.asarray(np.cumsum(bet * centre + np.log1p(bet * (values - centre)), axis=-1))


def worst_case_loss(worst: Array, unseen: int = UNSEEN) -> Array:
    """Return the largest possible loss on `unseen` more units, after every unit (the last axis)."""
    return np.asarray(unseen * np.maximum.accumulate(np.maximum(-worst, 0), axis=-1))


def betting_wealth(
    values: Array, worst: Array, places: NDArray[np.integer] | None = None, unseen: int = UNSEEN
) -> list[BettingWealth]:
    """Return the wealth after given numbers of units.

    Args:
        values: The stream, shape (units,).
        worst: Lower bound of each value, shape (units,).
        places: Numbers of units; by default only the total.
        unseen: Number of future units whose worst case is deducted.
    """
    at = np.array([len(values)]) if places is None else places
    logs = np.stack([np.r_[0.0, log_wealth(values, worst, bet)][at] for bet in STAKE_GRID], axis=1)
    due = np.r_[0.0, worst_case_loss(worst, unseen)][at]
    return [BettingWealth(row, int(n), float(o)) for row, n, o in zip(logs, at, due, strict=True)]


def log_wealth_path(values: Array, worst: Array, mean: Array | float = 0.0) -> Array:
    """Return the log wealth against the hypothesis mean <= `mean` after every unit, shape (..., units)."""
    owed = worst_case_loss(worst) + np.cumsum(np.broadcast_to(mean, values.shape), axis=-1)
    grown = sum(np.exp(np.minimum(log_wealth(values, worst, bet) - bet * owed, MAX_LOG_WEALTH)) for bet in STAKE_GRID)
    return np.asarray(np.log(grown / len(STAKE_GRID)))
