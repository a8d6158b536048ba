"""A worker process: holds a predictor, scores chunks, commits answers."""

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
    """Scores chunks; loads the predictor in the process that it is sent to."""

    def __init__(
        self,
        folder: Path,
        reader: BatchReader,
        validator: RowValidator,
        sink: Sink,
        skips: bool,
        on_chunk: OnChunk | None,
    ) -> None:
        self.folder, self.reader, self.validator, self.sink = folder, reader, validator, sink
        self.skips, self.on_chunk = skips, on_chunk
        self.predictor: Predictor | None = None

    def score(self, index: int, piece: Chunk) -> ChunkCounts:
        """Answer the rows of a chunk, call `on_chunk`, then commit.

        If the job is killed in between, the next run calls `on_chunk` again with the same index.
        """
        predictor = self.predictor = self.predictor or Predictor.load(self.folder)
        raw, ragged = self.reader.frame(piece)
        rows, refused = self.validator.rows(raw, self.reader)
        rejected = sorted([*ragged, *refused], key=lambda r: r.row)
        if rejected and not self.skips:
            raise rejected[0].refuse()
        with threadpool_limits(1):  # so that the last bits do not depend on the number of processes
            answers = predictor.predict(rows) if len(rows) else _no_answers(rows, predictor)
        if self.on_chunk:
            self.on_chunk(index, rows, answers)
        count = ChunkCounts(
            answered=len(rows),
            rejected=len(rejected),
            abstained=int(answers["abstain"].sum()),
            yes=int((answers["label"] == predictor.info.answers[1]).sum()),
            trace=self.reader.trace(piece),
        )
        self.sink.commit(index, output_table(rows, answers), rejected, count)
        return count


def _no_answers(rows: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    return predictor.predict(predictor.reference.head(1)).iloc[:0].set_index(rows.index)


_worker: Worker | None = None


def start_worker(worker: Worker) -> None:
    """Make `worker` the worker of this process, which ignores Ctrl-C and ends with its parent process."""
    global _worker
    _worker = worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def score_chunk(index: int, piece: Chunk) -> ChunkCounts:
    """Score a chunk with the worker of this process."""
    if _worker is None:
        raise RuntimeError("start_worker was not called in this process")
    return _worker.score(index, piece)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
