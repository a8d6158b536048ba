"""Results of SQL queries, from any database that SQLAlchemy supports."""

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from pydantic import Field
from sqlalchemy import URL, Engine, create_engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from credence.core.errors import InputError, did_you_mean, first_line
from credence.data.sources import Source
from credence.data.sources._files import require_path

VARIABLE = re.compile(r"\$\{(\w+)\}")
NO_TABLE = re.compile(r"no such table: (\S+)|relation \"([^\"]+)\" does not exist|Table '(?:\w+\.)?(\w+)' does")


class Sql(Source):
    """A query on the database at `url`.

    ${NAME} in the url is replaced by an environment variable, so that passwords are neither stored nor printed.
    """

    url: str = Field(min_length=1)
    query: str = Field(min_length=1)

    def read(self) -> pd.DataFrame:
        """Run the query and read its result.

        Raises:
            InputError: The database cannot be reached, the query fails, or it returns no rows.
        """
        engine = connect_database(self.url, "source.url")
        try:
            # Without parameters, % in the query is not a placeholder.
            with engine.connect().execution_options(no_parameters=True) as connection:
                table = pd.read_sql(self.query, connection)
        except SQLAlchemyError as error:
            raise InputError(self._sentence(error, engine)) from None
        finally:
            engine.dispose()
        if table.empty:
            raise InputError(f"the query on {_shown(engine.url)} returned no rows: {self.query}")
        return table

    def parts(self, rows: int) -> Iterator[tuple[list[str], list[Any]]]:
        """Run the query and yield its column names with at most `rows` rows at a time, streamed from the server.

        Raises:
            InputError: The database cannot be reached, or the query fails.
        """
        engine = connect_database(self.url, "source.url")
        streamed = {"no_parameters": True, "stream_results": True, "max_row_buffer": rows}
        try:
            with engine.connect().execution_options(**streamed) as connection:
                result = connection.exec_driver_sql(self.query)
                for part in result.partitions(rows):
                    yield list(result.keys()), [tuple(row) for row in part]
        except SQLAlchemyError as error:
            raise InputError(self._sentence(error, engine)) from None
        finally:
            engine.dispose()

    def _sentence(self, error: SQLAlchemyError, engine: Engine) -> str:
        message = first_line(error.orig if isinstance(error, DBAPIError) else error)
        if engine.url.password:
            message = message.replace(str(engine.url.password), "***")
        absent = NO_TABLE.search(message)
        hint = "Check source.query and source.url."
        if absent:
            name = next(g for g in absent.groups() if g)
            hint = did_you_mean(name, tables) if (tables := inspect(engine).get_table_names()) else "It has no tables."
        return f"the query on {_shown(engine.url)} failed: {message}. {hint}"


def connect_database(url: str, key: str, new: bool = False) -> Engine:
    """Create the engine of a database.

    Args:
        url: SQLAlchemy's url; ${NAME} is replaced by an environment variable.
        key: The YAML key of the url, for messages.
        new: Whether an SQLite file may be missing.

    Raises:
        InputError: The url is not valid, an environment variable is not set, or the SQLite file is missing.
    """
    try:
        filled = make_url(VARIABLE.sub(partial(_environment_value, key), url))
        if not new and filled.get_backend_name() == "sqlite" and filled.database not in (None, "", ":memory:"):
            require_path(Path(str(filled.database)))
        return create_engine(filled)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise InputError(
            f"{key} {VARIABLE.sub('…', url).split('@')[-1]!r} names no database that can be read; "
            "expected something like sqlite:///data.db or postgresql+psycopg://user:${PASSWORD}@host/name."
        ) from None


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _environment_value(key: str, variable: re.Match[str]) -> str:
    """Return the variable's value; a password (before @) is escaped for the url."""
    name = variable[1]
    if name not in os.environ:
        raise InputError(f"{key} reads the environment variable {name}, which is not set; export it first.")
    before_host = variable.string[variable.end() :].startswith("@")
    return quote(os.environ[name], safe="") if before_host else os.environ[name]
