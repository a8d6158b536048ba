"""What a batch job is: rows from somewhere, answers to somewhere."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from credence.core.errors import InputError, did_you_mean
from credence.core.registry import SourceSpec, StrictModel

FORMATS = (".parquet", ".csv", ".jsonl")


class BatchJob(StrictModel):
    """`out` is a file (.parquet, .csv or .jsonl) or the url of a database, whose `table` then gets the answers.

    `row_id` is a column that is carried through, `text` the one that a text task reads. With `on_error: skip`, rows
    that cannot be answered go to <out>.rejected.jsonl instead of ending the job.
    """

    source: SourceSpec
    out: str
    table: str = Field("answers", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    chunk_rows: int = Field(10_000, ge=1)
    processes: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=1)
    row_id: str | None = None
    text: str | None = None
    on_error: Literal["stop", "skip"] = "stop"

    @field_validator("out", mode="before")
    @classmethod
    def _known_format(cls, out: Any) -> str:
        place = str(out)
        if "://" not in place and Path(place).suffix not in FORMATS:
            raise InputError(f"{place!r} is no format to write. {did_you_mean(Path(place).suffix, FORMATS)}")
        return place

    @property
    def is_database(self) -> bool:
        """Whether the answers go to a table instead of a file."""
        return "://" in self.out


class ChunkCounts(StrictModel):
    """What became of the rows of a chunk."""

    answered: int = 0
    rejected: int = 0
    yes: int = 0
    abstained: int = 0
    trace: str = ""

    @property
    def rows(self) -> int:
        """All of them."""
        return self.answered + self.rejected


class JobSummary(StrictModel):
    """A job's end: how many rows, how fast, and how many of the answers are yes or left to a person."""

    rows: int
    rejected: int
    seconds: float
    share_yes: float
    abstained: int
    parts: int
    resumed: int

    @classmethod
    def of(cls, counts: list[ChunkCounts], seconds: float, resumed: int) -> "JobSummary":
        """Over all chunks, `resumed` of which an earlier run had finished."""
        answered = sum(c.answered for c in counts)
        return cls(
            rows=sum(c.rows for c in counts),
            rejected=sum(c.rejected for c in counts),
            seconds=seconds,
            share_yes=sum(c.yes for c in counts) / max(answered, 1),
            abstained=sum(c.abstained for c in counts),
            parts=len(counts),
            resumed=resumed,
        )
