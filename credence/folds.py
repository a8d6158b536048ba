"""Which rows train and which are held out, fold by fold: one dealing of rows that training and search share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

Indices = NDArray[np.intp]


def folds(y: NDArray[Any], n: int, seed: int) -> list[tuple[Indices, Indices]]:
    """(train, held out) row numbers of n stratified folds; fewer where an answer has fewer rows, none below 2."""
    n = min(n, int(np.bincount(y, minlength=2).min()))
    if n < 2:
        return []
    return list(StratifiedKFold(n, shuffle=True, random_state=seed).split(np.zeros(len(y)), y))
