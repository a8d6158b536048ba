"""Store rows as Parquet."""

import hashlib
from typing import ClassVar

import pandas as pd
from zenml.materializers.pandas_materializer import PandasMaterializer


class RowsMaterializer(PandasMaterializer):
    """ZenML's own for tables, with a hash of the content: rows that did not change are a cache hit."""

    SKIP_REGISTRATION: ClassVar[bool] = True

    def compute_content_hash(self, data: pd.DataFrame | pd.Series) -> str:
        """SHA-256 over column names, types and values."""
        frame = pd.DataFrame(data)
        h = hashlib.sha256(repr([(c, str(t)) for c, t in frame.dtypes.items()]).encode())
        h.update(pd.util.hash_pandas_object(frame.apply(_spelled), index=False).to_numpy().tobytes())
        return h.hexdigest()


def _spelled(column: pd.Series) -> pd.Series:
    """Objects by their repr, so that a missing cell is not the word None; numbers and dates as they are."""
    return column.map(repr) if column.dtype == object else column
