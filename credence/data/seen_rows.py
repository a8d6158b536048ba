"""64-bit hashes that recognize the rows of a training again, by id and by content."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.hashing import stable_hash
from credence.data.rows import row_hashes
from credence.data.schema import Schema


def id_hashes(rows: pd.DataFrame) -> NDArray[np.uint64]:
    """64-bit hash of each row id, shape (rows,)."""
    return _to_uint64(rows["row_id"].map(lambda i: stable_hash(f"id {i}")))


def content_hashes(rows: pd.DataFrame, schema: Schema) -> NDArray[np.uint64]:
    """64-bit hash of each row's values in the schema's columns, shape (rows,)."""
    return _to_uint64(row_hashes(schema.select(rows)[schema.names()]))


def seen_hashes(rows: pd.DataFrame, schema: Schema) -> NDArray[np.uint64]:
    """Sorted hashes that recognize rows: of every id, and of every content that occurs exactly once.

    Contents that occur twice or more prove nothing, so they are left out.
    """
    content, times = np.unique(content_hashes(rows, schema), return_counts=True)
    return np.union1d(id_hashes(rows), content[times == 1])


def _to_uint64(hexadecimal: Iterable[str]) -> NDArray[np.uint64]:
    return np.array([int(h, 16) for h in hexadecimal], dtype=np.uint64)
