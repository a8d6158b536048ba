"""A source read piece by piece: what its head tells holds for all of it, however it is cut."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from credence.core.errors import InputError
from credence.core.registry import StrictModel


def file_identity(path: Path) -> dict[str, Any]:
    """Where a file or a folder of Parquet files lies, how large it is and when it was changed last."""
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
    """Rows that follow one another, not yet parsed, and the number of the first, counted from 0."""

    first: int
    rows: int
    content: Any


class RejectedRows(StrictModel):
    """A row that cannot be answered, where it stands, and why."""

    row: int
    where: str
    why: str
    given: dict[str, Any] | str

    def refuse(self) -> InputError:
        """The same as an error."""
        return InputError(f"{self.where}: {self.why}; mend that row, or have such rows left out with on_error=skip.")


class BatchReader:
    """One per job; it travels to the processes that parse pieces, without what only reading needs (`_…`)."""

    name: str
    numbers: frozenset[str] = frozenset()  # columns that are only asked for as plain numbers
    cells: bool = False  # whether values are text as people write it, so that 1.0 and 1 are spellings of one number

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def fingerprint(self) -> dict[str, Any]:
        """What tells this source, as it is now, from any other."""
        raise NotImplementedError

    def head(self) -> pd.DataFrame:
        """The first rows as `frame` gives them, the same ones whatever the size of the pieces."""
        raise NotImplementedError

    def pieces(self, rows: int) -> Iterator[Chunk]:
        """All rows in order, so many at a time."""
        raise NotImplementedError

    def frame(self, piece: Chunk) -> tuple[pd.DataFrame, list[RejectedRows]]:
        """The raw table of a piece, its index the rows' numbers, and the rows that cannot be told apart into cells."""
        raise NotImplementedError

    def expected(self) -> int | None:
        """About how many rows there are, where that is cheap to know."""
        return None

    def trace(self, piece: Chunk) -> str:
        """A digest of a piece, for sources that may change without telling."""
        return ""

    def where(self, row: int) -> str:
        """A row in a sentence, counted from 1."""
        return f"{self.name}, row {row + 1}"


def chunked(records: Iterator[Any], rows: int) -> Iterator[list[Any]]:
    """So many records at a time; the last group may be smaller."""
    group: list[Any] = []
    for record in records:
        group.append(record)
        if len(group) == rows:
            yield group
            group = []
    if group:
        yield group
