"""Rows from a pandas DataFrame in memory."""

from typing import Self

import pandas as pd
from pydantic import PrivateAttr, field_validator

from credence.core.errors import InputError
from credence.core.registry import SourceSpec
from credence.data.rows import require_unique_columns
from credence.data.sources._files import flatten_columns


class FrameSource(SourceSpec):
    """A source that returns a DataFrame; it has no kind, because it cannot be written to YAML."""

    kind: str = "frame"
    _table: pd.DataFrame = PrivateAttr()

    @field_validator("kind")
    @classmethod
    def _kind_exists(cls, kind: str) -> str:
        return kind

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """Create a source that returns a copy of `frame`; see `plain_table`.

        Raises:
            InputError: A column name is repeated, or there are no rows.
        """
        source = cls()
        source._table = plain_table(frame)
        return source

    def build(self) -> Self:
        """Return the source itself."""
        return self

    def read(self) -> pd.DataFrame:
        """Return the table."""
        return self._table


def plain_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a frame in the form of file sources: text column names, a new index and plain dtypes.

    Raises:
        InputError: A column name is repeated, or there are no rows.
    """
    table = frame.rename(columns=str).reset_index(drop=True)
    require_unique_columns(table)
    if table.empty:
        raise InputError("the data has a header but no rows.")
    for name in table.columns:
        if isinstance(table[name].dtype, (pd.StringDtype, pd.CategoricalDtype)):
            table[name] = table[name].astype(object)
    return flatten_columns(table)
