"""The result of a query, from any database that SQLAlchemy speaks to."""

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

from credence.core.errors import InputError, did_you_mean
from credence.data.sources import Source
from credence.data.sources._files import require_path

VARIABLE = re.compile(r"\$\{(\w+)\}")
NO_TABLE = re.compile(r"no such table: (\S+)|relation \"([^\"]+)\" does not exist|Table '(?:\w+\.)?(\w+)' does")


class Sql(Source):
    """${NAME} in the url stands for an environment variable, so that no password is written down or printed."""

    url: str = Field(min_length=1)
    query: str = Field(min_length=1)

    def read(self) -> pd.DataFrame:
        engine = connect_database(self.url, "source.url")
        try:
            with engine.connect().execution_options(no_parameters=True) as connection:  # so that % is only a %
                table = pd.read_sql(self.query, connection)
        except SQLAlchemyError as error:
            raise InputError(self._sentence(error, engine)) from None
        finally:
            engine.dispose()
        if table.empty:
            raise InputError(f"the query on {_shown(engine.url)} returned no rows: {self.query}")
        return table

    def parts(self, rows: int) -> Iterator[tuple[list[str], list[Any]]]:
        """The names of the columns and so many rows at a time, fetched from the database as they are asked for."""
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
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0].rstrip(".")
        if engine.url.password:
            said = said.replace(str(engine.url.password), "***")
        absent = NO_TABLE.search(said)
        hint = "Check source.query and source.url."
        if absent:
            name = next(g for g in absent.groups() if g)
            hint = did_you_mean(name, tables) if (tables := inspect(engine).get_table_names()) else "It has no tables."
        return f"the query on {_shown(engine.url)} failed: {said}. {hint}"


def connect_database(url: str, key: str, new: bool = False) -> Engine:
    """The database at a url in which ${NAME} stands for an environment variable; `new` if it need not exist yet."""
    try:
        place = make_url(VARIABLE.sub(partial(_filled, key), url))
        if not new and place.get_backend_name() == "sqlite" and place.database not in (None, "", ":memory:"):
            require_path(Path(str(place.database)))
        return create_engine(place)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise InputError(
            f"{key} {VARIABLE.sub('…', url).split('@')[-1]!r} names no database that can be read; "
            "expected something like sqlite:///data.db or postgresql+psycopg://user:${PASSWORD}@host/name."
        ) from None


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _filled(key: str, variable: re.Match[str]) -> str:
    """The variable's value; in the place of a password it may hold characters that a url reserves."""
    name = variable[1]
    if name not in os.environ:
        raise InputError(f"{key} reads the environment variable {name}, which is not set; export it first.")
    before_host = variable.string[variable.end() :].startswith("@")
    return quote(os.environ[name], safe="") if before_host else os.environ[name]
