"""Parquet files."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from credence.core.errors import InputError, first_line
from credence.data.sources._files import FileSource, flatten_columns, require_path


class Parquet(FileSource):
    """A Parquet file, or a folder of them; lists and structs become JSON text."""

    def read(self) -> pd.DataFrame:
        """Read the table, without the index of pandas.

        Raises:
            InputError: There is no such file, it is not Parquet, or it has no rows.
        """
        path = require_path(self.path)
        if path.is_dir() and not any(path.rglob("*.parquet")):
            raise InputError(f"{path}: no *.parquet file in this folder.")
        try:
            table = pq.read_table(path).to_pandas(ignore_metadata=True)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path}: not readable as Parquet ({first_line(error)}); check source.kind.") from None
        if table.empty:
            raise InputError(f"{path} holds no rows.")
        return flatten_columns(table.drop(columns=[c for c in table if str(c).startswith("__index_level_")]))
