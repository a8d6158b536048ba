"""A Parquet file, or a folder of them."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from credence.core.errors import InputError
from credence.data.sources._files import FileSource, flatten_columns, require_path


class Parquet(FileSource):
    """Columns as Arrow stores them; lists and structures become JSON text."""

    def read(self) -> pd.DataFrame:
        path = require_path(self.path)
        if path.is_dir() and not any(path.rglob("*.parquet")):
            raise InputError(f"{path}: no *.parquet file in this folder.")
        try:
            table = pq.read_table(path).to_pandas(ignore_metadata=True)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path}: not readable as Parquet ({_first_line(error)}); check source.kind.") from None
        if table.empty:
            raise InputError(f"{path} holds no rows.")
        return flatten_columns(table.drop(columns=[c for c in table if str(c).startswith("__index_level_")]))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
