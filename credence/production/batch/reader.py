"""The reader's contract: read a source in chunks, with the same result for every chunk size."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from credence.core.errors import InputError
from credence.core.registry import StrictModel


def file_identity(path: Path) -> dict[str, Any]:
    """Path, number of files, size in bytes and last change of a file or a folder of Parquet files."""
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    states = [file.stat() for file in files]
    return {
        "path": str(path.resolve()),
        "files": len(files),
        "bytes": sum(s.st_size for s in states),
        "changed": max((s.st_mtime_ns for s in states), default=0),
    }


SCHEMA_SAMPLE_ROWS = 10_000


class Chunk(NamedTuple):
    """Consecutive rows, not yet parsed, with the number of the first row, counted from 0."""

    first: int
    rows: int
    content: Any


class RejectedRows(StrictModel):
    """A row that cannot be answered, its place, and the reason."""

    row: int
    where: str
    why: str
    given: dict[str, Any] | str

    def refuse(self) -> InputError:
        """The same as an error."""
        return InputError(f"{self.where}: {self.why}; correct that row, or leave such rows out with on_error=skip.")


class BatchReader:
    """Reads one job's source; it is pickled to the worker processes without its private attributes."""

    name: str
    numbers: frozenset[str] = frozenset()  # columns that are used only as plain numbers
    cells: bool = False  # True if values are text, so 1.0 and 1 are two spellings of one number

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def fingerprint(self) -> dict[str, Any]:
        """Identity of the source and its present content."""
        raise NotImplementedError

    def head(self) -> pd.DataFrame:
        """The first rows as `frame` gives them, independent of the chunk size."""
        raise NotImplementedError

    def pieces(self, rows: int) -> Iterator[Chunk]:
        """All rows in order, `rows` at a time."""
        raise NotImplementedError

    def frame(self, piece: Chunk) -> tuple[pd.DataFrame, list[RejectedRows]]:
        """Parse a chunk.

        Returns:
            The raw table, indexed by row number, and the rows that cannot be parsed into cells.
        """
        raise NotImplementedError

    def expected(self) -> int | None:
        """Approximate number of rows; None if it is expensive to know."""
        return None

    def trace(self, piece: Chunk) -> str:
        """Digest of a chunk, for sources whose change cannot be noticed otherwise."""
        return ""

    def where(self, row: int) -> str:
        """The place of a row in a sentence, counted from 1."""
        return f"{self.name}, row {row + 1}"


def chunked(records: Iterator[Any], rows: int) -> Iterator[list[Any]]:
    """Group records into lists of `rows`; the last list may be shorter."""
    group: list[Any] = []
    for record in records:
        group.append(record)
        if len(group) == rows:
            yield group
            group = []
    if group:
        yield group
