"""Preprocessing of a fold's training matrix: column selection and oversampling."""

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression

from credence.model import Labels
from credence.statistics.uncertainty import Array

Columns = NDArray[np.intp]
NEIGHBOURS = 5
RIDGE = 1e-9


def drop_collinear(Z: Array, limit: float) -> Columns:
    """Drop constant columns, then the one with the highest variance inflation factor until none exceeds `limit`.

    Args:
        Z: Training matrix, shape (rows, width).
        limit: Largest variance inflation factor, above 1.

    Returns:
        Numbers of the remaining columns; the first column if all are constant.
    """
    kept = np.flatnonzero(Z.std(0) > 0)
    while len(kept) > 1:
        correlation = np.corrcoef(Z[:, kept], rowvar=False)
        factors = np.diag(np.linalg.inv(correlation + RIDGE * np.eye(len(kept))))
        if factors.max() <= limit:
            break
        kept = np.delete(kept, int(np.argmax(factors)))
    return kept if len(kept) else np.arange(1)


def select_features_rfe(Z: Array, y: Labels, k: int) -> Columns:
    """Select columns by recursive feature elimination with logistic regression on scaled columns (Guyon et al. 2002).

    Args:
        Z: Training matrix, shape (rows, width).
        y: Labels in {0, 1}, shape (rows,).
        k: Number of columns to keep; all if there are no more.

    Returns:
        Numbers of the kept columns.
    """
    if k >= Z.shape[1]:
        return np.arange(Z.shape[1])
    sd = Z.std(0)
    scaled = (Z - Z.mean(0)) / np.where(sd > 0, sd, 1.0)
    found = RFE(LogisticRegression(max_iter=1000), n_features_to_select=k).fit(scaled, y)
    return np.asarray(found.get_support(indices=True))


def oversample_smote(Z: Array, y: Labels, seed: int) -> tuple[Array, Labels]:
    """Oversample the rarer label to the size of the other by SMOTE (Chawla et al. 2002).

    Args:
        Z: Training matrix without missing values, shape (rows, width).
        y: Labels in {0, 1}, shape (rows,).
        seed: Seed of the new rows.

    Returns:
        Matrix and labels with the new rows; unchanged if the rarer label has fewer than two rows.
    """
    rare = int(np.bincount(y, minlength=2).min())
    if rare < 2:
        return Z, y
    from imblearn.over_sampling import SMOTE  # a second to import, and serving never needs it

    Z, y = SMOTE(k_neighbors=min(NEIGHBOURS, rare - 1), random_state=seed).fit_resample(Z, y)
    return Z, y
