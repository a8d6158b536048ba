"""Create ZenML's local store completely before it is used, also after a first run that was killed."""

import fcntl
import sqlite3
from pathlib import Path

from stacks.names import local_store

LEFTOVER_FILES = ("", "-journal", "-wal", "-shm")
# Returns a row only if each table has one: everything that ZenML writes to a new store.
FINISHED = 'SELECT 1 FROM alembic_version, "user", project, stack, server_settings LIMIT 1'


def ensure_store() -> None:
    """Create ZenML's local store if it is missing or incomplete.

    An incomplete store was never used, so its files are deleted. A lock lets concurrent first runs take turns.
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
    """Return whether the store has everything that ZenML writes to a new one."""
    if not store.is_file():
        return False
    connection = sqlite3.connect(f"file:{store}?mode=rw", uri=True)  # rw, to roll back the journal of a killed run
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
