"""One process that scores: a predictor in memory, pieces in, parts out."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from credence.predictor import Predictor
from credence.production.batch.job import ChunkCounts
from credence.production.batch.output_table import output_table
from credence.production.batch.reader import BatchReader, Chunk
from credence.production.batch.row_validation import RowValidator
from credence.production.batch.sink import Sink

OnChunk = Callable[[int, pd.DataFrame, pd.DataFrame], None]


class Worker:
    """Turns a piece of a source into a part of the answers; loads the predictor in the process that it travels to."""

    def __init__(
        self, folder: Path, reader: BatchReader, intake: RowValidator, sink: Sink, skips: bool, on_chunk: OnChunk | None
    ) -> None:
        self.folder, self.reader, self.intake, self.sink = folder, reader, intake, sink
        self.skips, self.on_chunk = skips, on_chunk
        self.predictor: Predictor | None = None

    def score(self, index: int, piece: Chunk) -> ChunkCounts:
        """Answer the rows of a piece, tell `on_chunk`, and only then commit the part.

        A kill in between makes the next run tell `on_chunk` the same again, under the same number.
        """
        predictor = self.predictor = self.predictor or Predictor.load(self.folder)
        raw, ragged = self.reader.frame(piece)
        rows, refused = self.intake.rows(raw, self.reader)
        rejected = sorted([*ragged, *refused], key=lambda r: r.row)
        if rejected and not self.skips:
            raise rejected[0].refuse()
        with threadpool_limits(1):  # so that the last bits do not depend on how many processes there are
            answers = predictor.predict(rows) if len(rows) else _none(rows, predictor)
        if self.on_chunk:
            self.on_chunk(index, rows, answers)
        count = ChunkCounts(
            answered=len(rows),
            rejected=len(rejected),
            abstained=int(answers["abstain"].sum()),
            yes=int((answers["label"] == predictor.facts.answers[1]).sum()),
            trace=self.reader.trace(piece),
        )
        self.sink.commit(index, output_table(rows, answers), rejected, count)
        return count


def _none(rows: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    return predictor.predict(predictor.reference.head(1)).iloc[:0].set_index(rows.index)


_worker: Worker | None = None


def start_worker(worker: Worker) -> None:
    """Make this process the worker's; it ends with the process that started it, and leaves Ctrl-C to that one."""
    global _worker
    _worker = worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def score_chunk(index: int, piece: Chunk) -> ChunkCounts:
    """The worker of this process scores a piece."""
    if _worker is None:
        raise RuntimeError("begin comes first")
    return _worker.score(index, piece)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
