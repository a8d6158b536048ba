"""Which rows learn together: rows of like length, in an order that follows from seed and epoch alone."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from credence.models.training.settings import Training

POOL_BATCHES = 50
IntArray = list[int]


def plan_batches(lengths: NDArray[np.int64], settings: Training, epoch: int) -> list[IntArray]:
    """Every row number once, in the batches of an epoch.

    Rows are shuffled, sorted by length within pools of 50 batches, cut, and the batches shuffled: padding is small
    and which rows meet differs from epoch to epoch.
    """
    dice = np.random.default_rng((settings.seed, epoch))
    order = dice.permutation(len(lengths))
    pools = (
        order[at : at + POOL_BATCHES * settings.batch_rows]
        for at in range(0, len(order), POOL_BATCHES * settings.batch_rows)
    )
    batches = [batch for pool in pools for batch in batches_by_length(lengths, settings, pool)]
    return [batches[i] for i in dice.permutation(len(batches))]


def batches_by_length(
    lengths: NDArray[np.int64], settings: Training, numbers: NDArray[np.intp] | None = None
) -> Iterator[IntArray]:
    """These rows, or all, from short to long, in batches of `batch_rows` and at most `batch_tokens` padded cells."""
    rows = np.arange(len(lengths)) if numbers is None else numbers
    batch: IntArray = []
    for i in rows[np.argsort(lengths[rows], kind="stable")].tolist():
        cells = (len(batch) + 1) * int(lengths[i])
        if batch and (len(batch) == settings.batch_rows or cells > (settings.batch_tokens or np.inf)):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def split_batch(batch: Sequence[int], parts: int) -> list[IntArray]:
    """A batch dealt into as many parts of like cost; some are empty where it has fewer rows."""
    return [list(batch[part::parts]) for part in range(parts)]
