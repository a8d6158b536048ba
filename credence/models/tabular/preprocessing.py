"""What may happen to a fold's training matrix before learning: fewer columns, or balanced answers."""

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
    """The columns that stay when the one with the highest variance inflation factor goes until none exceeds `limit`.

    A column that never varies explains nothing and goes too, unless all are such.
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
    """The k columns that recursive elimination leaves (Guyon et al. 2002), by logistic regression on scaled columns."""
    if k >= Z.shape[1]:
        return np.arange(Z.shape[1])
    sd = Z.std(0)
    scaled = (Z - Z.mean(0)) / np.where(sd > 0, sd, 1.0)
    found = RFE(LogisticRegression(max_iter=1000), n_features_to_select=k).fit(scaled, y)
    return np.asarray(found.get_support(indices=True))


def oversample_smote(Z: Array, y: Labels, seed: int) -> tuple[Array, Labels]:
    """As many rows of the rarer answer as of the other, new ones between neighbours (SMOTE, Chawla et al. 2002).

    A single row has no neighbour, so nothing can be made from it and the rows stay as they are.
    """
    rare = int(np.bincount(y, minlength=2).min())
    if rare < 2:
        return Z, y
    from imblearn.over_sampling import SMOTE  # a second to import, and serving never needs it

    Z, y = SMOTE(k_neighbors=min(NEIGHBOURS, rare - 1), random_state=seed).fit_resample(Z, y)
    return Z, y
