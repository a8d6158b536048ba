"""Store rows as Parquet."""

import hashlib
from typing import ClassVar

import pandas as pd
from zenml.materializers.pandas_materializer import PandasMaterializer


class RowsMaterializer(PandasMaterializer):
    """ZenML's materializer for tables with a content hash: unchanged rows are a cache hit."""

    SKIP_REGISTRATION: ClassVar[bool] = True

    def compute_content_hash(self, data: pd.DataFrame | pd.Series) -> str:
        """Hash column names, types and values (SHA-256, hex)."""
        frame = pd.DataFrame(data)
        h = hashlib.sha256(repr([(c, str(t)) for c, t in frame.dtypes.items()]).encode())
        h.update(pd.util.hash_pandas_object(frame.apply(_hashable), index=False).to_numpy().tobytes())
        return h.hexdigest()


def _hashable(column: pd.Series) -> pd.Series:
    """Replace objects by their repr, so that a missing cell differs from the text None."""
    return column.map(repr) if column.dtype == object else column
