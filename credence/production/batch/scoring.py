"""Run a batch job from its first chunk to its last, in one process or several."""

import hashlib
import json
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from tqdm import tqdm

from credence.core.errors import InputError
from credence.predictor import Predictor
from credence.production.batch import worker
from credence.production.batch.job import BatchJob, ChunkCounts, JobSummary
from credence.production.batch.reader import BatchReader, Chunk
from credence.production.batch.readers import reader_of, sink_of
from credence.production.batch.row_validation import RowValidator
from credence.production.batch.worker import OnChunk, Worker
from credence.security.signing import verify

ALL_ROWS = (0, 1)
CHUNKS_IN_FLIGHT = 2
QUIET_SECONDS = 3

ChunkQueue = Iterator[tuple[int, Chunk]]


def score_job(
    job: BatchJob, folder: Path, shard: tuple[int, int] = ALL_ROWS, on_chunk: OnChunk | None = None
) -> JobSummary:
    """Score the rows of a source with a saved predictor; chunks finished by an earlier run are skipped.

    `assemble_output` joins the chunks.

    Args:
        job: The job.
        folder: The saved predictor.
        shard: (i, n): score only every n-th chunk from the i-th on; other runs score the rest.
        on_chunk: Called with (index, rows, answers) before a chunk is committed, and again with the same index and rows
            if the job is killed in between. With several processes it runs in the workers, so it must be picklable.

    Raises:
        InputError: The source cannot be read, a row cannot be answered, or another job uses the output.
    """
    verify(folder)
    started, reader, sink, predictor = time.monotonic(), reader_of(job.source), sink_of(job), Predictor.load(folder)
    validator = RowValidator.learn(predictor.info.schema_, reader, job.text, job.row_id)
    reader.numbers = validator.numbers()
    with sink.begun(_identity(job, reader, predictor), shard):
        before = sink.finished()
        todo = _Chunks(job, reader, shard, before)
        workers = Worker(folder, reader, validator, sink, job.on_error == "skip", on_chunk)
        counts = []
        with tqdm(total=reader.expected(), unit=" rows", delay=QUIET_SECONDS, disable=None) as progress:
            progress.update(sum(c.rows for c in before.values()))
            few = job.processes == 1 or (reader.expected() or job.chunk_rows + 1) <= job.chunk_rows
            for count in (
                _in_this_process(workers, predictor, todo) if few else _in_processes(workers, job.processes, todo)
            ):
                counts.append(count)
                progress.update(count.rows)
        sink.end(todo.seen)
    return JobSummary.of([*counts, *todo.kept], time.monotonic() - started, len(todo.kept))


def assemble_output(job: BatchJob) -> str:
    """Join the chunks of all shards into the job's output, in the order of the source.

    The output's bytes do not depend on whether the job was interrupted.

    Returns:
        The place of the output.

    Raises:
        InputError: A chunk is missing.
    """
    return sink_of(job).assemble()


class _Chunks:
    """Iterates over the chunks that are still to be scored and records the others."""

    def __init__(
        self, job: BatchJob, reader: BatchReader, shard: tuple[int, int], finished: dict[int, ChunkCounts]
    ) -> None:
        self.job, self.reader, self.finished = job, reader, finished
        self.number, self.of = shard
        self.seen, self.kept = 0, list[ChunkCounts]()

    def __iter__(self) -> ChunkQueue:
        for index, piece in enumerate(self.reader.pieces(self.job.chunk_rows)):
            self.seen = index + 1
            if index % self.of != self.number:
                continue
            if index not in self.finished:
                yield index, piece
                continue
            self.kept.append(self.finished[index])
            if self.reader.trace(piece) != self.finished[index].trace:
                raise InputError(
                    f"{self.reader.name}: rows {piece.first + 1} to {piece.first + piece.rows} are no longer the ones "
                    "that were scored before the pause; start the job again with another output."
                )


def _in_this_process(workers: Worker, predictor: Predictor, todo: "_Chunks") -> Iterator[ChunkCounts]:
    workers.predictor = predictor
    for index, piece in todo:
        yield workers.score(index, piece)


def _in_processes(workers: Worker, processes: int, todo: "_Chunks") -> Iterator[ChunkCounts]:
    """Score in several processes; each loads the predictor once, and at most two chunks wait besides those in work."""
    context = multiprocessing.get_context("spawn")
    pending: dict[Future[ChunkCounts], int] = {}
    with ProcessPoolExecutor(processes, context, worker.start_worker, (workers,)) as pool:
        try:
            for index, piece in todo:
                pending[pool.submit(worker.score_chunk, index, piece)] = index
                if len(pending) >= processes + CHUNKS_IN_FLIGHT:
                    yield from _done(pending, FIRST_COMPLETED)
            yield from _done(pending, ALL_COMPLETED)
        except BrokenProcessPool:
            raise InputError(
                "a worker process was killed, perhaps for its memory; run the job again with fewer processes: it "
                "resumes after the last finished chunk."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _done(pending: dict[Future[ChunkCounts], int], until: str) -> Iterator[ChunkCounts]:
    """Yield the counts of finished chunks; raise the error of the first chunk that failed."""
    finished = wait(pending, return_when=until).done
    if any(future.exception() for future in finished):
        finished = wait(pending).done
    for future in sorted(finished, key=pending.__getitem__):
        del pending[future]
        yield future.result()


def _identity(job: BatchJob, reader: BatchReader, predictor: Predictor) -> dict[str, Any]:
    """What must be equal for a job to resume an earlier one."""
    given = job.model_dump(include={"chunk_rows", "row_id", "text", "on_error"})
    source = json.dumps([job.source.model_dump(mode="json"), reader.fingerprint()], sort_keys=True, default=str)
    return {
        "source": hashlib.sha256(source.encode()).hexdigest()[:16],
        "predictor": predictor.digest(),
        "version": predictor.info.version,
        **given,
    }
