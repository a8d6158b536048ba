"""The sink's contract: record the job, take each chunk completely or not at all, list the finished chunks."""

from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa

from credence.core.errors import InputError
from credence.production.batch.job import ChunkCounts
from credence.production.batch.reader import RejectedRows


class Sink:
    """Takes a job's answers; it is pickled to the worker processes."""

    def begun(self, identity: dict[str, Any], shard: tuple[int, int]) -> AbstractContextManager[None]:
        """Prepare the output.

        Raises:
            InputError: Another job uses the output, or another process scores this shard.
        """
        raise NotImplementedError

    def finished(self) -> dict[int, ChunkCounts]:
        """Counts of the finished chunks by number."""
        raise NotImplementedError

    def commit(self, index: int, answers: pa.Table, rejected: list[RejectedRows], count: ChunkCounts) -> None:
        """Store a chunk durably and completely before returning, or not at all."""
        raise NotImplementedError

    def end(self, chunks: int) -> None:
        """Record the number of chunks of the source."""
        raise NotImplementedError

    def assemble(self) -> str:
        """Join the chunks in order into the output, and return its place.

        Raises:
            InputError: A chunk is missing.
        """
        raise NotImplementedError


def require_same_job(before: dict[str, Any], now: dict[str, Any], way_out: str) -> None:
    """Check that an interrupted job is the same as this one.

    Raises:
        InputError: Their identities differ; `way_out` says what to do.
    """
    other = [name for name in now if before.get(name) != now[name]]
    if other:
        raise InputError(
            f"the output belongs to an interrupted job with another "
            f"{' and another '.join(n.replace('_', ' ') for n in other)}; finish that job, or {way_out}."
        )
