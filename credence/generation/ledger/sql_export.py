"""Write the data set to a database table; repeated or interrupted writes leave each row exactly once."""

import pyarrow as pa
from pydantic import Field
from sqlalchemy import Boolean, Column, Connection, Engine, Integer, MetaData, String, Table, Text, inspect
from sqlalchemy.exc import SQLAlchemyError

from credence.core.errors import InputError, first_line
from credence.core.registry import StrictModel
from credence.data.sources.sql import connect_database
from credence.generation.ledger.exports import SCHEMA

RUN, KEY = "run_spec_id", "content_id"
TYPES = {pa.bool_(): Boolean, pa.int32(): Integer, pa.string(): Text}
CHUNK_ROWS = 5000


class SqlSink(StrictModel):
    """A database table that several runs may share."""

    url: str = Field(
        min_length=1,
        description="SQLAlchemy URL; a password in it comes from an environment variable, named as in the source sql",
    )
    table: str = Field(min_length=1, description="the table's name")

    def write(self, rows: pa.Table, run: str) -> int:
        """Replace the run's rows in the table, in one transaction.

        Args:
            rows: The data set.
            run: The id of the run's specification.

        Returns:
            The number of rows.

        Raises:
            InputError: The database cannot be reached or written, or the table has other columns.
        """
        engine = connect_database(self.url, "sink.url", new=True)
        try:
            with engine.begin() as connection:
                self._replace(connection, rows, run)
        except SQLAlchemyError as error:
            raise self._input_error(error, engine) from None
        finally:
            engine.dispose()
        return int(rows.num_rows)

    def _replace(self, connection: Connection, rows: pa.Table, run: str) -> None:
        table = self._table()
        table.create(connection, checkfirst=True)
        self._refuse_other(connection, table)
        connection.execute(table.delete().where(table.c[RUN] == run))
        for part in rows.to_batches(max_chunksize=CHUNK_ROWS):
            connection.execute(table.insert(), [{RUN: run, **row} for row in part.to_pylist()])

    def _table(self) -> Table:
        keys = [Column(name, String(64), primary_key=True) for name in (RUN, KEY)]
        rest = [Column(f.name, TYPES[f.type], nullable=False) for f in SCHEMA if f.name != KEY]
        return Table(self.table, MetaData(), *keys, *rest)

    def _refuse_other(self, connection: Connection, table: Table) -> None:
        inspector = inspect(connection)
        found = {c["name"] for c in inspector.get_columns(self.table)}
        keys = set(inspector.get_pk_constraint(self.table)["constrained_columns"])
        if found != set(table.c.keys()) or keys != {RUN, KEY}:
            raise InputError(f"the database has another table {self.table!r}; name another in sink.table, or drop it.")

    def _input_error(self, error: SQLAlchemyError, engine: Engine) -> InputError:
        said = first_line(getattr(error, "orig", None) or error)
        password = engine.url.password
        said = said.replace(str(password), "***") if password else said
        return InputError(f"table {self.table!r} was not written: {said}; check sink, and that the database is there.")
