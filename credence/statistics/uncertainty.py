"""What draws say: probability, uncertainty and how it splits, interval."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MIN_PROBABILITY = 1e-7


def logit(p: Array) -> Array:
    """Log-odds, with p kept away from 0 and 1 by 1e-7."""
    p = np.clip(p, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.log(p) - np.log1p(-p)


def sigmoid(z: Array) -> Array:
    """The inverse of `logit`; stable for large |z|."""
    return np.exp(-np.logaddexp(0.0, -z))


def entropy(p: Array) -> Array:
    """Entropy of a yes/no answer in bits: 0 is certain, 1 is a coin toss."""
    p = np.clip(p, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def decompose_uncertainty(draws: Array) -> tuple[Array, Array, Array]:
    """Total, epistemic and aleatoric uncertainty in bits of draws (draws, rows); total = epistemic + aleatoric.

    Epistemic is the mutual information between answer and draw (Houlsby et al. 2011, BALD): entropy of the mean minus
    mean entropy. One draw cannot disagree with itself, so both parts are then absent (NaN), never a false zero.
    """
    draws = np.clip(draws, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    total = entropy(draws.mean(0))
    if len(draws) == 1:
        absent = np.full_like(total, np.nan)
        return total, absent, absent
    aleatoric = entropy(draws).mean(0)
    return total, np.maximum(total - aleatoric, 0.0), aleatoric


def draw_interval(draws: Array, level: float = 0.9) -> tuple[Array, Array]:
    """The central `level` interval of the draws per row; absent (NaN) where there is one draw."""
    if len(draws) == 1:
        absent = np.full(draws.shape[1], np.nan)
        return absent, absent
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high
