"""Resampling whole clusters of rows: how often each row is drawn, so that any weighted metric can be bootstrapped."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Weights = NDArray[np.uint8]
Keys = Sequence[str] | NDArray[Any] | None
CHUNK_CELLS = 4_000_000
MAX_JACKKNIFE_UNITS = 500


def cluster_ids(keys: Keys, n: int) -> NDArray[np.intp]:
    """The number of every row's cluster, shape (n,): rows that share a key, or every row for itself."""
    return np.arange(n) if keys is None else pd.factorize(np.asarray(keys, dtype=object))[0].astype(np.intp)


def bootstrap_weights(keys: Keys, n: int, resamples: int, seed: int = 0) -> Weights:
    """How often each of n rows is drawn, shape (resamples, n), by a cluster bootstrap (Davison & Hinkley 1997, 3.8).

    Rows that share a key are drawn together. A byte holds a count: that one cluster is drawn more than 255 times has a
    chance below 1e-500.
    """
    code = cluster_ids(keys, n)
    m, rng, drawn = int(code.max()) + 1, np.random.default_rng(seed), np.empty((resamples, n), np.uint8)
    for start in range(0, resamples, step := max(1, CHUNK_CELLS // m)):
        rows = min(step, resamples - start)
        drawn[start : start + rows] = _counts(rng, rows, m)[:, code]
    return drawn


def _counts(rng: np.random.Generator, resamples: int, m: int) -> Weights:
    """Counts of m draws with replacement from m clusters, shape (resamples, m)."""
    picks = rng.integers(0, m, (resamples, m)) + m * np.arange(resamples)[:, None]
    counts: Weights = np.bincount(picks.ravel(), minlength=resamples * m).astype(np.uint8)
    table: Weights = counts.reshape(resamples, m)
    return table


def jackknife_weights(keys: Keys, n: int, most: int = MAX_JACKKNIFE_UNITS, seed: int = 0) -> Weights:
    """Weights of a jackknife, shape (groups, n): each leaves one cluster out, or one random group of them where there
    are more than `most` clusters (the delete-a-group jackknife)."""
    code = cluster_ids(keys, n)
    m = int(code.max()) + 1
    group = np.random.default_rng(seed).permutation(m)[code] % min(m, most)
    kept: Weights = (group[None, :] != np.arange(min(m, most))[:, None]).astype(np.uint8)
    return kept
