"""A batch job from its first chunk to its last, in one process or several."""

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
    """Answer the rows of a source with a saved predictor; chunks that an earlier run has finished are not done again.

    `shard` (i, n) leaves to others all chunks but every n-th from i on. `on_chunk(index, rows, answers)` is called
    before a chunk is committed, and again with the same index and rows if the job is killed in between; where there
    are several processes it runs in theirs, and so has to be a function of a module. `assemble_output` joins
    the chunks.
    """
    verify(folder)
    started, reader, sink, predictor = time.monotonic(), reader_of(job.source), sink_of(job), Predictor.load(folder)
    intake = RowValidator.learn(predictor.facts.schema_, reader, job.text, job.row_id)
    reader.numbers = intake.numbers()
    with sink.begun(_identity(job, reader, predictor), shard):
        before = sink.finished()
        there = _Chunks(job, reader, shard, before)
        crew = Worker(folder, reader, intake, sink, job.on_error == "skip", on_chunk)
        counts = []
        with tqdm(total=reader.expected(), unit=" rows", delay=QUIET_SECONDS, disable=None) as progress:
            progress.update(sum(c.rows for c in before.values()))
            few = job.processes == 1 or (reader.expected() or job.chunk_rows + 1) <= job.chunk_rows
            for count in _alone(crew, predictor, there) if few else _together(crew, job.processes, there):
                counts.append(count)
                progress.update(count.rows)
        sink.end(there.seen)
    return JobSummary.of([*counts, *there.kept], time.monotonic() - started, len(there.kept))


def assemble_output(job: BatchJob) -> str:
    """Join the chunks of all shards, in the order of the source, into the job's output; where that is.

    The same bytes come out whether the job was killed or not. BadInput where chunks are missing.
    """
    return sink_of(job).assemble()


class _Chunks:
    """The pieces that are still to be scored, and what is known of the others."""

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
                    "that were scored before the pause; start anew in another place."
                )


def _alone(crew: Worker, predictor: Predictor, todo: "_Chunks") -> Iterator[ChunkCounts]:
    crew.predictor = predictor
    for index, piece in todo:
        yield crew.score(index, piece)


def _together(crew: Worker, processes: int, todo: "_Chunks") -> Iterator[ChunkCounts]:
    """Every process loads the predictor once; at most two pieces wait besides those in work."""
    started = multiprocessing.get_context("spawn")
    pending: dict[Future[ChunkCounts], int] = {}
    with ProcessPoolExecutor(processes, started, worker.start_worker, (crew,)) as pool:
        try:
            for index, piece in todo:
                pending[pool.submit(worker.score_chunk, index, piece)] = index
                if len(pending) >= processes + CHUNKS_IN_FLIGHT:
                    yield from _done(pending, FIRST_COMPLETED)
            yield from _done(pending, ALL_COMPLETED)
        except BrokenProcessPool:
            raise InputError(
                "a process that scored was killed, perhaps for its memory; run the job again and it goes on from "
                "there, and ask for fewer processes."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _done(pending: dict[Future[ChunkCounts], int], until: str) -> Iterator[ChunkCounts]:
    """The counts of what is done by now; where something failed, the error of the first piece that did."""
    finished = wait(pending, return_when=until).done
    if any(future.exception() for future in finished):
        finished = wait(pending).done
    for future in sorted(finished, key=pending.__getitem__):
        del pending[future]
        yield future.result()


def _identity(job: BatchJob, reader: BatchReader, predictor: Predictor) -> dict[str, Any]:
    """What has to be the same for a job to go on where another one stopped."""
    given = job.model_dump(include={"chunk_rows", "row_id", "text", "on_error"})
    source = json.dumps([job.source.model_dump(mode="json"), reader.fingerprint()], sort_keys=True, default=str)
    return {
        "source": hashlib.sha256(source.encode()).hexdigest()[:16],
        "predictor": predictor.digest(),
        "version": predictor.facts.version,
        **given,
    }
