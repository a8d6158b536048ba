"""Rows that come straight from a pandas DataFrame in memory."""

from typing import Self

import pandas as pd
from pydantic import PrivateAttr, field_validator

from credence.core.errors import InputError
from credence.core.registry import SourceSpec
from credence.data.sources._files import flatten_columns


class FrameSource(SourceSpec):
    """A source without a file. It cannot be written to YAML, so it is no kind of its own."""

    kind: str = "frame"
    _table: pd.DataFrame = PrivateAttr()

    @field_validator("kind")
    @classmethod
    def _kind_exists(cls, kind: str) -> str:
        return kind

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """A source that reads a copy of `frame`. Raises InputError for repeated column names and for no rows."""
        source = cls()
        source._table = plain_table(frame)
        return source

    def build(self) -> Self:
        """The source itself: there is nothing to open."""
        return self

    def read(self) -> pd.DataFrame:
        """The table."""
        return self._table


def plain_table(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of a caller's frame as file sources return tables: text column names, rows numbered from 0, plain dtypes.

    Raises InputError for repeated column names and for no rows.
    """
    table = frame.rename(columns=str).reset_index(drop=True)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(f"column {twice[0]!r} stands twice in the header; give every column its own name.")
    if table.empty:
        raise InputError("the data has a header but no rows.")
    for name in table.columns:
        if isinstance(table[name].dtype, (pd.StringDtype, pd.CategoricalDtype)):
            table[name] = table[name].astype(object)
    return flatten_columns(table)
