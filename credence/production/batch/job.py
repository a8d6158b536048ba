"""Batch jobs: their settings and their summary."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from credence.core.errors import InputError, did_you_mean
from credence.core.registry import SourceSpec, StrictModel

FORMATS = (".parquet", ".csv", ".jsonl")


class BatchJob(StrictModel):
    """Score the rows of a source.

    Attributes:
        source: The source of the rows.
        out: A file (.parquet, .csv or .jsonl) or the URL of a database.
        table: Table for the answers, if `out` is a database.
        chunk_rows: Rows per chunk.
        processes: Number of worker processes; default up to 4.
        row_id: A column that is copied to the answers.
        text: The column that a text task reads.
        on_error: `stop` ends the job at a row that cannot be answered; `skip` writes it to <out>.rejected.jsonl.
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
            raise InputError(f"{place!r} is not an output format. {did_you_mean(Path(place).suffix, FORMATS)}")
        return place

    @property
    def is_database(self) -> bool:
        """True if the answers go to a database table instead of a file."""
        return "://" in self.out


class ChunkCounts(StrictModel):
    """Counts of one chunk."""

    answered: int = 0
    rejected: int = 0
    yes: int = 0
    abstained: int = 0
    trace: str = ""

    @property
    def rows(self) -> int:
        """Answered and rejected rows."""
        return self.answered + self.rejected


class JobSummary(StrictModel):
    """Rows, duration and shares of a finished job."""

    rows: int
    rejected: int
    seconds: float
    share_yes: float
    abstained: int
    parts: int
    resumed: int

    @classmethod
    def of(cls, counts: list[ChunkCounts], seconds: float, resumed: int) -> "JobSummary":
        """Sum up all chunks, `resumed` of which were finished by an earlier run."""
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
