"""ZenML's own store, made whole before anything uses it: a first run may be killed while it is being made."""

import fcntl
import sqlite3
from pathlib import Path

from stacks.names import local_store

LEFTOVER_FILES = ("", "-journal", "-wal", "-shm")
# A row only where each of them has one: what ZenML puts into a new store, first to last.
FINISHED = 'SELECT 1 FROM alembic_version, "user", project, stack, server_settings LIMIT 1'


def ensure_store() -> None:
    """Make ZenML's local store where there is none, after clearing away what a killed run left of one.

    A store that lacks what ZenML puts into a new one was never finished, and so nothing can have been kept in it.
    Several first runs at once take turns.
    """
    store = local_store()
    if store is None or is_complete(store):
        return
    store.parent.mkdir(parents=True, exist_ok=True)
    with (store.parent / "first-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_complete(store):
            for ending in LEFTOVER_FILES:
                store.with_name(store.name + ending).unlink(missing_ok=True)
            _make()


def is_complete(store: Path) -> bool:
    """Does the store hold all that ZenML puts into a new one?"""
    if not store.is_file():
        return False
    connection = sqlite3.connect(f"file:{store}?mode=rw", uri=True)  # what a kill left in the journal is rolled back
    try:
        return connection.execute(FINISHED).fetchone() is not None
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return False
        raise
    finally:
        connection.close()


def _make() -> None:
    from zenml.client import Client

    Client().zen_store.get_store_info()
