"""The ledger's SQLite file: tables, connections, error messages."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from credence.core.errors import InputError

DATABASE_FILE, FORMAT = "ledger.sqlite", 1
WAIT_SECONDS = 30
NOT_BEGUN = "no run has begun in this ledger; run the generation first"
TABLES = """
create table if not exists run (spec_id text primary key, spec text not null, created text not null) without rowid;
create table if not exists slot (
    slot_id text primary key, category text not null, label text not null, ordinal integer not null,
    attempt integer not null, remaining integer not null) without rowid;
create table if not exists result (
    slot_id text primary key references slot, content_id text not null unique, category text not null,
    question text not null, answer text not null, answer_verified integer not null, checker_version text not null,
    source text not null, template text not null, request_id text not null, split text not null,
    schema_version integer not null) without rowid;
create table if not exists attempt (
    request_id text not null, number integer not null, provider text not null, model text not null,
    template text not null, time text not null, kind text not null, status integer, error_type text,
    latency real not null, input integer, output integer, cached integer, reasoning integer,
    cost integer not null, slot text not null, verdict text not null, reason text not null,
    exchange blob not null, primary key (request_id, number)) without rowid;
create table if not exists quarantine (
    slot_id text not null references slot, attempt integer not null, reason text not null, detail text not null,
    request_id text not null, primary key (slot_id, attempt)) without rowid;
create table if not exists budget (
    reservation text primary key, request_id text not null, reserved integer not null) without rowid;
"""
MEANING = {
    "SQLITE_FULL": "the disk is full; what was recorded before is safe: free some space and run the same command again",
    "SQLITE_NOTADB": "this is no ledger; move the file away, or name another folder",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a copy, or move it away and start over",
    "SQLITE_BUSY": "another program keeps the file locked; close it and run the same command again",
    "SQLITE_CANTOPEN": "the file cannot be opened; set CREDENCE_HOME to a folder that can be written",
    "SQLITE_READONLY": "the file cannot be written; set CREDENCE_HOME to a folder that can be written",
    "SQLITE_IOERR": "the disk refuses ({code}); what was recorded before is safe: see to the disk and its free space, "
    "then run the same command again",
}


def connect_ledger(folder: Path, *, write: bool) -> sqlite3.Connection:
    """Open a ledger's database.

    Args:
        folder: The ledger's folder.
        write: Whether to create missing tables and to write; commits are then flushed to disk (`synchronous=full`).

    Raises:
        InputError: The file cannot be opened, is damaged, has another format, or has no tables yet.
    """
    file = folder / DATABASE_FILE
    with explain_sqlite_error(file):
        database = sqlite3.connect(file, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(database, file, write)
        except BaseException:
            database.close()
            raise
    return database


def _prepare(database: sqlite3.Connection, file: Path, write: bool) -> None:
    if not write:
        database.execute("pragma query_only = on")
        _refuse_other_format(database, file)
        return
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute("pragma foreign_keys = on")
    database.execute("begin immediate")
    for statement in TABLES.split(";\n")[:-1] if _is_new(database) else ():
        database.execute(statement)
    if _is_new(database):
        database.execute(f"pragma user_version = {FORMAT}")
    database.execute("commit")
    _refuse_other_format(database, file)


def _is_new(database: sqlite3.Connection) -> bool:
    return bool(database.execute("pragma user_version").fetchone()[0] == 0)


def _refuse_other_format(database: sqlite3.Connection, file: Path) -> None:
    if _is_new(database):
        raise InputError(f"{file.parent}: {NOT_BEGUN}.")
    found = database.execute("pragma user_version").fetchone()[0]
    if found != FORMAT:
        raise InputError(
            f"{file}: a ledger of format {found} was given, and format {FORMAT} was expected; "
            "use the version of credence that wrote it, or another folder."
        )


@contextmanager
def explain_sqlite_error(file: Path) -> Iterator[None]:
    """Raise InputError with one sentence for errors of the database file inside the block."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
            raise
        code = getattr(error, "sqlite_errorname", "")
        meaning = next((m for name, m in MEANING.items() if code.startswith(name)), None)
        if meaning is None:
            raise
        raise InputError(f"{file}: {meaning.format(code=code)}.") from None
