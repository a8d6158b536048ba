"""Batches of rows of similar length, in an order given by seed and epoch."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from credence.models.training.settings import Training

POOL_BATCHES = 50
IntArray = list[int]


def plan_batches(lengths: NDArray[np.int64], settings: Training, epoch: int) -> list[IntArray]:
    """Plan the batches of an epoch; each row number occurs once.

    Rows are shuffled, sorted by length within pools of 50 batches and cut into batches, which are shuffled. Padding
    stays small, and batches differ between epochs.

    Args:
        lengths: Cells per row, shape (rows,).
        settings: Batch limits and seed.
        epoch: Number of the epoch, from 1.
    """
    rng = np.random.default_rng((settings.seed, epoch))
    order = rng.permutation(len(lengths))
    pools = (
        order[at : at + POOL_BATCHES * settings.batch_rows]
        for at in range(0, len(order), POOL_BATCHES * settings.batch_rows)
    )
    batches = [batch for pool in pools for batch in batches_by_length(lengths, settings, pool)]
    return [batches[i] for i in rng.permutation(len(batches))]


def batches_by_length(
    lengths: NDArray[np.int64], settings: Training, numbers: NDArray[np.intp] | None = None
) -> Iterator[IntArray]:
    """Yield batches of row numbers, short rows first.

    Args:
        lengths: Cells per row, shape (rows,).
        settings: A batch has at most `batch_rows` rows and `batch_tokens` padded cells, but at least one row.
        numbers: The row numbers to use; default all.
    """
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
    """Split a batch into `parts` parts of similar cost. Parts are empty if there are fewer rows than parts."""
    return [list(batch[part::parts]) for part in range(parts)]
