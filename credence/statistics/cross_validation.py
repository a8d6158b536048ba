"""Which rows train and which are held out, fold by fold: one dealing of rows that training and search share."""

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

Indices = NDArray[np.intp]
PROGRESS_DELAY_SECONDS = 3.0


def stratified_folds(y: NDArray[Any], n: int, seed: int) -> list[tuple[Indices, Indices]]:
    """(train, held out) row numbers of n stratified folds; fewer where an answer has fewer rows, none below 2."""
    n = min(n, int(np.bincount(y, minlength=2).min()))
    if n < 2:
        return []
    return list(StratifiedKFold(n, shuffle=True, random_state=seed).split(np.zeros(len(y)), y))


def with_progress(dealt: list[tuple[Indices, Indices]], kind: str) -> Iterable[tuple[Indices, Indices]]:
    """The same folds, with rate and time to go on the screen once they have taken three seconds."""
    progress: Iterable[tuple[Indices, Indices]] = tqdm(
        dealt, desc=f"  {kind}", unit="fold", delay=PROGRESS_DELAY_SECONDS, leave=False, file=sys.stderr
    )
    return progress
