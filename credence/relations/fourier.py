"""A number as a vector: Fourier number embedding (FoNE, arXiv 2502.09741), with no learned state."""

import math

import numpy as np

from credence.uncertainty import Array

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
TENS = tuple(10**k for k in range(10))
PERIODS = np.array([*PRIMES, *TENS], dtype=np.float64)
FONE_WIDTH = 2 * len(PERIODS) + 3
LARGEST_ROOT = 1000.0


def fone(value: float) -> Array:
    """Sine and cosine at the prime periods 2 to 31 and at 1, 10, … 10⁹, then log(1 + |value|) / 10, the root of |value|
    in thousands (at most 1) and the sign; shape (FONE_WIDTH,). The remainders are exact for every float.
    """
    turn = 2 * np.pi * np.fmod(value, PERIODS) / PERIODS
    size = [math.log1p(abs(value)) / 10, min(math.sqrt(abs(value)) / LARGEST_ROOT, 1.0), float(np.sign(value))]
    return np.concatenate([np.sin(turn), np.cos(turn), size])
