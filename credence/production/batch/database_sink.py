"""Write answers to a database table; each chunk and its ledger entry are one transaction."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Engine,
    MetaData,
    Table,
    Text,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from typing_extensions import override

from credence.core.errors import InputError, first_line
from credence.data.sources.sql import connect_database
from credence.production.batch.job import BatchJob, ChunkCounts
from credence.production.batch.output_table import flat_columns, output_records, output_schema
from credence.production.batch.reader import RejectedRows
from credence.production.batch.sink import Sink, require_same_job

TYPES = {pa.int64(): BigInteger, pa.float64(): Double, pa.bool_(): Boolean}
ALREADY_CREATED = re.compile("exists|unique", re.IGNORECASE)
JOB, END, CHUNK = "job", "end", "chunk "


class DatabaseSink(Sink):
    """Writes to the table; <table>_ledger records the job and its chunks, and <table>_rejected the rejected rows."""

    def __init__(self, job: BatchJob) -> None:
        self.url, self.table, self.named = job.out, job.table, job.row_id is not None
        self._engines: list[Engine] = []

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_engines": []}  # connections cannot be pickled

    @override
    @contextmanager
    def begun(self, identity: dict[str, Any], shard: tuple[int, int]) -> Iterator[None]:
        try:
            try:
                self._prepare(identity)
            except SQLAlchemyError as error:
                if not ALREADY_CREATED.search(str(error)):
                    raise
                self._prepare(identity)  # another shard started at the same time
            yield
        except SQLAlchemyError as error:
            raise self._error(error) from None
        finally:
            for engine in self._engines:
                engine.dispose()

    @override
    def finished(self) -> dict[int, ChunkCounts]:
        return {int(name.removeprefix(CHUNK)): ChunkCounts(**found) for name, found in self._read(CHUNK).items()}

    @override
    def commit(self, index: int, answers: pa.Table, rejected: list[RejectedRows], count: ChunkCounts) -> None:
        table, ledger, refused = self._tables()
        rows = output_records(flat_columns(answers))
        lines = [{**r.model_dump(), "given": json.dumps(r.given, ensure_ascii=False)} for r in rejected]
        try:
            with self._engine().begin() as connection:
                connection.execute(ledger.insert(), {"name": f"{CHUNK}{index}", "content": count.model_dump_json()})
                if rows:
                    connection.execute(table.insert(), rows)
                if lines:
                    connection.execute(refused.insert(), lines)
        except IntegrityError:
            raise InputError(
                f"another process writes to table {self.table!r} too; wait until it ends, or stop it."
            ) from None
        except SQLAlchemyError as error:
            raise self._error(error) from None

    @override
    def end(self, chunks: int) -> None:
        try:
            if not self._read(END):
                self._note(END, {"chunks": chunks})
        except IntegrityError:
            if not self._read(END):  # else another shard recorded it at the same time
                raise

    @override
    def assemble(self) -> str:
        end, there = self._read(END), len(self._read(CHUNK))
        if not end or end[END]["chunks"] > there:
            raise InputError(f"table {self.table!r} is not complete; run the job again, or its other shards.")
        return f"{self._engine().url.render_as_string(hide_password=True)}, table {self.table}"

    def _prepare(self, identity: dict[str, Any]) -> None:
        answers, ledger, rejected = self._tables()
        there = inspect(self._engine()).get_table_names()
        if self.table in there and ledger.name not in there:
            raise InputError(f"the database already has a table {self.table!r}; name another one, or drop it.")
        for table in (ledger, answers, rejected):
            table.create(self._engine(), checkfirst=True)
        if before := self._read(JOB):
            way_out = f"drop the tables {answers.name}, {ledger.name} and {rejected.name} to start again"
            require_same_job(before[JOB], identity, way_out)
        else:
            self._note(JOB, identity)

    def _engine(self) -> Engine:
        if not self._engines:
            self._engines.append(connect_database(self.url, "out", new=True))
        return self._engines[0]

    def _tables(self) -> tuple[Table, Table, Table]:
        about = MetaData()
        columns = [Column(f.name, TYPES.get(f.type, Text)()) for f in output_schema(self.named)]
        ledger = Table(f"{self.table}_ledger", about, Column("name", Text, primary_key=True), Column("content", Text))
        texts = [Column(name, Text) for name in ("where", "why", "given")]
        rejected = Table(f"{self.table}_rejected", about, Column("row", BigInteger), *texts)
        return Table(self.table, about, *columns), ledger, rejected

    def _read(self, prefix: str) -> dict[str, Any]:
        ledger = self._tables()[1]
        with self._engine().connect() as connection:
            found = connection.execute(select(ledger).where(ledger.c.name.startswith(prefix))).all()
        return {name: json.loads(content) for name, content in found}

    def _note(self, name: str, content: dict[str, Any]) -> None:
        with self._engine().begin() as connection:
            connection.execute(self._tables()[1].insert(), {"name": name, "content": json.dumps(content)})

    def _error(self, error: SQLAlchemyError) -> InputError:
        said = first_line(getattr(error, "orig", None) or error)
        password = self._engine().url.password
        said = said.replace(str(password), "***") if password else said
        return InputError(
            f"table {self.table!r} was not written: {said}; check out, and that the database is reachable."
        )
