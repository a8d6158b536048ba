"""Write answers to one Parquet file per chunk in <out>.parts/, and join them at the end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from typing_extensions import override

from credence.core.atomic_write import atomic_write
from credence.core.errors import InputError
from credence.core.file_lock import exclusive_lock
from credence.production.batch.job import BatchJob, ChunkCounts
from credence.production.batch.output_table import flat_columns, output_records
from credence.production.batch.reader import RejectedRows
from credence.production.batch.sink import Sink, require_same_job

COUNT, NOTE = b"credence", "job.json"


class PartFiles(Sink):
    """Writes each part atomically, so a killed job resumes after the last part."""

    def __init__(self, job: BatchJob) -> None:
        self.out = Path(job.out)
        self.folder = Path(f"{job.out}.parts")

    @override
    @contextmanager
    def begun(self, identity: dict[str, Any], shard: tuple[int, int]) -> Iterator[None]:
        if not self.out.parent.is_dir():
            raise InputError(f"{self.out}: the folder {self.out.parent} does not exist; create it first.")
        self.folder.mkdir(exist_ok=True)
        lock = self.folder / f"shard-{shard[0]}-of-{shard[1]}.lock"
        with exclusive_lock(lock, f"{self.out}: another process writes to it; wait until it ends, or stop it."):
            note = self.folder / NOTE
            if note.exists():
                require_same_job(json.loads(note.read_text()), identity, f"remove {self.folder} to start again")
            else:
                with atomic_write(note) as draft:
                    draft.write_text(json.dumps(identity, indent=1))
            yield

    @override
    def finished(self) -> dict[int, ChunkCounts]:
        return {int(file.stem): _read_counts(file) for file in self._files()}

    @override
    def commit(self, index: int, answers: pa.Table, rejected: list[RejectedRows], count: ChunkCounts) -> None:
        if rejected:
            lines = "".join(f"{r.model_dump_json()}\n" for r in rejected)
            with atomic_write(self.folder / f"{index:08}.rejected.jsonl") as draft:
                draft.write_text(lines, encoding="utf-8")
        noted = answers.replace_schema_metadata({COUNT: count.model_dump_json()})
        with atomic_write(self.folder / f"{index:08}.parquet") as draft:
            pq.write_table(noted, draft)

    @override
    def end(self, chunks: int) -> None:
        with atomic_write(self.folder / "end.json") as draft:
            draft.write_text(json.dumps({"chunks": chunks}))

    @override
    def assemble(self) -> str:
        if not self.folder.is_dir() and self.out.exists():
            return str(self.out)
        end = self.folder / "end.json"
        files = self._files()
        if not end.exists() or (lacking := json.loads(end.read_text())["chunks"] - len(files)):
            what = f"{lacking} chunks are" if end.exists() else "the end of the source is"
            raise InputError(f"{self.out}: {what} not scored yet; run the job again, or its other shards.")
        with atomic_write(self.out, self.folder) as draft:
            _join(files, draft, self.out.suffix)
        rejected = sorted(self.folder.glob("*.rejected.jsonl"))
        note = Path(f"{self.out}.rejected.jsonl")
        if rejected:
            with atomic_write(note, self.folder) as draft:
                _concatenate(rejected, draft)
        else:
            note.unlink(missing_ok=True)
        self._clear()
        return str(self.out)

    def _clear(self) -> None:
        """Delete the parts; the job's note goes last: parts without it could be taken for those of another job."""
        for file in sorted(self.folder.iterdir(), key=lambda file: file.name == NOTE):
            file.unlink()
        self.folder.rmdir()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.parquet"))


def _read_counts(file: Path) -> ChunkCounts:
    return ChunkCounts(**json.loads(pq.read_schema(file).metadata[COUNT]))


def _join(files: list[Path], path: Path, suffix: str) -> None:
    """Join all parts into one file, one part in memory at a time."""
    if suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as stream:
            for part in _tables(files):
                stream.writelines(f"{json.dumps(record, ensure_ascii=False)}\n" for record in output_records(part))
        return
    with _writer(suffix, path, next(_tables(files))) as writer:
        for part in _tables(files):
            writer.write_table(flat_columns(part) if suffix == ".csv" else part)


def _concatenate(files: list[Path], path: Path) -> None:
    with path.open("wb") as stream:
        stream.writelines(file.read_bytes() for file in files)


def _writer(suffix: str, path: Path, first: pa.Table) -> Any:
    return pc.CSVWriter(path, flat_columns(first).schema) if suffix == ".csv" else pq.ParquetWriter(path, first.schema)


def _tables(files: list[Path]) -> Iterator[pa.Table]:
    return (pq.ParquetFile(file).read().replace_schema_metadata(None) for file in files)
