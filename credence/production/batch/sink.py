"""What every place for answers can do: remember the job, take a chunk wholly or not at all, say which it has."""

from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa

from credence.core.errors import InputError
from credence.production.batch.job import ChunkCounts
from credence.production.batch.reader import RejectedRows


class Sink:
    """It travels to the processes that score."""

    def begun(self, identity: dict[str, Any], shard: tuple[int, int]) -> AbstractContextManager[None]:
        """Make the place ready; BadInput where another job is there, or another process is at work on this shard."""
        raise NotImplementedError

    def finished(self) -> dict[int, ChunkCounts]:
        """The chunks that are here, by number."""
        raise NotImplementedError

    def commit(self, index: int, answers: pa.Table, rejected: list[RejectedRows], count: ChunkCounts) -> None:
        """Take a chunk; when this returns it outlives a kill, and before it is not there."""
        raise NotImplementedError

    def end(self, chunks: int) -> None:
        """Remember how many chunks the source has."""
        raise NotImplementedError

    def assemble(self) -> str:
        """Join the chunks, in order, into what was asked for; where that is. BadInput where one is missing."""
        raise NotImplementedError


def require_same_job(before: dict[str, Any], now: dict[str, Any], way_out: str) -> None:
    """BadInput where what an interrupted job wrote down is not what this one would."""
    other = [name for name in now if before.get(name) != now[name]]
    if other:
        raise InputError(
            f"an interrupted job with another {' and another '.join(n.replace('_', ' ') for n in other)} "
            f"is there already; finish that one, or {way_out}."
        )
