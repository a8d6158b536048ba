"""Stratified cross-validation folds, shared by training and hyper-parameter search."""

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
    """Split rows into stratified folds.

    Args:
        y: Labels 0 or 1, shape (rows,).
        n: Number of folds; reduced to the number of rows of the rarer class.
        seed: Seed of the shuffle.

    Returns:
        (train, held out) row numbers per fold; empty if a class has fewer than 2 rows.
    """
    n = min(n, int(np.bincount(y, minlength=2).min()))
    if n < 2:
        return []
    return list(StratifiedKFold(n, shuffle=True, random_state=seed).split(np.zeros(len(y)), y))


def with_progress(folds: list[tuple[Indices, Indices]], kind: str) -> Iterable[tuple[Indices, Indices]]:
    """Iterate over folds; show a progress bar on stderr after three seconds."""
    progress: Iterable[tuple[Indices, Indices]] = tqdm(
        folds, desc=f"  {kind}", unit="fold", delay=PROGRESS_DELAY_SECONDS, leave=False, file=sys.stderr
    )
    return progress
