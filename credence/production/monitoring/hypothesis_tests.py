"""Two-sample tests of a column: distance from the reference, and its p-value."""

import numpy as np
import pandas as pd
from scipy.stats import chi2, kstwobign

from credence.statistics.uncertainty import Array

MAX_CATEGORICAL_VALUES = 10
MAX_LEVELS = 20
MIN_EXPECTED_COUNT = 5
OTHERS = "(others)"


def two_sample_test(before: pd.Series, now: pd.Series, weight: float) -> tuple[float, float]:
    """Distance and p-value of two samples without missing values.

    Numbers with more than 10 values: Kolmogorov-Smirnov. Categories and other numbers: total variation distance, with
    the p-value of Pearson's chi-squared test. Both distances are the share of rows that moved, in [0, 1].

    Args:
        before: The reference sample.
        now: The window's sample.
        weight: Number of independent rows that one row of `now` counts for.
    """
    if not len(before) or not len(now):
        return 0.0, 1.0
    if pd.api.types.is_numeric_dtype(before) and pd.concat([before, now]).nunique() > MAX_CATEGORICAL_VALUES:
        return ks_test(before.to_numpy(float), now.to_numpy(float), weight * len(now))
    _, old, new = category_shares(before, now, weight)
    return float(np.abs(old - new).sum() / 2), chi2_test(len(before) * old, weight * len(now) * new)


def ks_test(before: Array, now: Array, effective: float) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance, and its p-value with Stephens's (1970) approximation.

    With ties the p-value is conservative. `effective` is the number of independent rows in `now`.
    """
    before, now, at = np.sort(before), np.sort(now), np.concatenate([before, now])
    gaps = np.searchsorted(before, at, "right") / len(before) - np.searchsorted(now, at, "right") / len(now)
    distance, root = float(np.abs(gaps).max()), np.sqrt(len(before) * effective / (len(before) + effective))
    return distance, float(kstwobign.sf((root + 0.12 + 0.11 / root) * distance))


def category_shares(before: pd.Series, now: pd.Series, weight: float = 1.0) -> tuple[list[str], Array, Array]:
    """The most frequent values with their shares in both samples; rare values are pooled."""
    old, new = (s.astype(str).value_counts() for s in (before, now))
    pooled = old.add(weight * new, fill_value=0).sort_values(ascending=False, kind="stable")
    smaller = min(len(before), weight * len(now)) / (len(before) + weight * len(now))
    common = list(pooled.index[(pooled * smaller >= MIN_EXPECTED_COUNT).to_numpy()][:MAX_LEVELS])
    common = common or list(pooled.index[:1])
    shares = [_shares(counts, common) for counts in (old, new)]
    rest = pooled.sum() - pooled[common].sum()
    if rest == 0:
        return common, shares[0][:-1], shares[1][:-1]
    return [*common, OTHERS], shares[0], shares[1]


def _shares(counts: pd.Series, common: list[str]) -> Array:
    kept = counts.reindex(common, fill_value=0).to_numpy(float)
    return np.asarray(np.append(kept, counts.sum() - kept.sum()) / counts.sum())


def chi2_test(old: Array, new: Array) -> float:
    """P-value of Pearson's test that two rows of counts, not necessarily integers, have the same shares."""
    table = np.stack([old, new])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2:
        return 1.0
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    return float(chi2.sf(((table - expected) ** 2 / expected).sum(), table.shape[1] - 1))
