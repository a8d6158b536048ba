"""Log-odds, entropy, and the uncertainty of posterior draws: total, epistemic, aleatoric, interval."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MIN_PROBABILITY = 1e-7


def logit(p: Array) -> Array:
    """Return the log-odds of p, which is first clipped to [1e-7, 1 - 1e-7]."""
    p = np.clip(p, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.log(p) - np.log1p(-p)


def sigmoid(z: Array) -> Array:
    """Return the inverse of `logit`; numerically stable for large |z|."""
    return np.exp(-np.logaddexp(0.0, -z))


def log_loss_per_row(p: Array, y: NDArray[Any]) -> Array:
    """Return the negative log-likelihood in nats of every label y (0 or 1) under probability p, shape (rows,)."""
    z = logit(p)
    return np.logaddexp(0.0, np.where(y == 1, -z, z))


def entropy(p: Array) -> Array:
    """Return the entropy of a yes/no answer in bits, from 0 (p = 0 or 1) to 1 (p = 0.5)."""
    p = np.clip(p, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def decompose_uncertainty(draws: Array) -> tuple[Array, Array, Array]:
    """Decompose uncertainty: total = epistemic + aleatoric (Houlsby et al. 2011, BALD).

    Total is the entropy of the mean, aleatoric the mean entropy. Epistemic is their difference: the mutual
    information between answer and draw.

    Args:
        draws: Probabilities, shape (draws, rows).

    Returns:
        Total, epistemic and aleatoric uncertainty in bits, each of shape (rows,). A single draw has no
        disagreement to measure: then the last two are NaN.
    """
    draws = np.clip(draws, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    total = entropy(draws.mean(0))
    if len(draws) == 1:
        absent = np.full_like(total, np.nan)
        return total, absent, absent
    aleatoric = entropy(draws).mean(0)
    return total, np.maximum(total - aleatoric, 0.0), aleatoric


def draw_interval(draws: Array, level: float = 0.9) -> tuple[Array, Array]:
    """Return the central interval of the draws of every row.

    Args:
        draws: Probabilities, shape (draws, rows).
        level: Probability mass of the interval.

    Returns:
        Lower and upper end, each of shape (rows,); NaN for a single draw.
    """
    if len(draws) == 1:
        absent = np.full(draws.shape[1], np.nan)
        return absent, absent
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high
