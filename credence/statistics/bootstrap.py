"""Cluster bootstrap and jackknife as row weights, for any weighted metric."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Weights = NDArray[np.uint8]
Keys = Sequence[str] | NDArray[Any] | None
CHUNK_CELLS = 4_000_000  # 32 MB of random integers at a time
MAX_JACKKNIFE_UNITS = 500


def cluster_ids(keys: Keys, n: int) -> NDArray[np.intp]:
    """Return the number of every row's cluster, shape (n,).

    Args:
        keys: Rows that share a key form a cluster; None makes every row its own cluster.
        n: Number of rows.
    """
    return np.arange(n) if keys is None else pd.factorize(np.asarray(keys, dtype=object))[0].astype(np.intp)


def bootstrap_weights(keys: Keys, n: int, resamples: int, seed: int = 0) -> Weights:
    """Draw cluster bootstrap weights (Davison & Hinkley 1997, section 3.8).

    Args:
        keys: Rows that share a key are drawn together; None draws single rows.
        n: Number of rows.
        resamples: Number of resamples.
        seed: Seed of the random generator.

    Returns:
        How often each row is drawn, shape (resamples, n), uint8. A count above 255 has probability below 1e-500.
    """
    code = cluster_ids(keys, n)
    m, rng, drawn = int(code.max()) + 1, np.random.default_rng(seed), np.empty((resamples, n), np.uint8)
    for start in range(0, resamples, step := max(1, CHUNK_CELLS // m)):
        rows = min(step, resamples - start)
        drawn[start : start + rows] = _counts(rng, rows, m)[:, code]
    return drawn


def _counts(rng: np.random.Generator, resamples: int, m: int) -> Weights:
    """Return the counts of m draws with replacement from m clusters, shape (resamples, m)."""
    picks = rng.integers(0, m, (resamples, m)) + m * np.arange(resamples)[:, None]
    counts: Weights = np.bincount(picks.ravel(), minlength=resamples * m).astype(np.uint8)
    table: Weights = counts.reshape(resamples, m)
    return table


def jackknife_weights(keys: Keys, n: int, most: int = MAX_JACKKNIFE_UNITS, seed: int = 0) -> Weights:
    """Return jackknife weights: 0 for the rows left out, 1 for the others.

    Args:
        keys: Rows that share a key form a cluster; None makes every row its own cluster.
        n: Number of rows.
        most: With more clusters than this, random groups of clusters are left out (delete-a-group jackknife).
        seed: Seed of the random groups.

    Returns:
        Weights, shape (groups, n), uint8; every group leaves out one cluster or one group of clusters.
    """
    code = cluster_ids(keys, n)
    m = int(code.max()) + 1
    group = np.random.default_rng(seed).permutation(m)[code] % min(m, most)
    kept: Weights = (group[None, :] != np.arange(min(m, most))[:, None]).astype(np.uint8)
    return kept
