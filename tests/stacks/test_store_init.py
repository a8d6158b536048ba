"""What a killed first run left of ZenML's store is cleared away; what was finished is never touched."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from stacks.names import local_store
from stacks.store_init import ensure_store, is_complete

ROOT = Path(__file__).parents[2]
FILLED = ("alembic_version", "user", "project", "stack", "server_settings")
BEGIN = "from stacks.store_init import ensure_store; ensure_store(); print('WHOLE')"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of a store that is not there yet."""
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(tmp_path))
    monkeypatch.delenv("ZENML_STORE_URL", raising=False)
    found = local_store()
    assert found is not None and found.is_relative_to(tmp_path)
    found.parent.mkdir(parents=True)
    return found


def half_made(store: Path, tables: int) -> None:
    connection = sqlite3.connect(store)
    for i in range(tables):
        connection.execute(f"CREATE TABLE t{i} (id INTEGER)")
    if tables > 1:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.commit()
    connection.close()


def filled(store: Path, tables: Sequence[str]) -> None:
    connection = sqlite3.connect(store)
    for table in tables:
        connection.execute(f'CREATE TABLE "{table}" (id TEXT)')
        connection.execute(f"INSERT INTO \"{table}\" VALUES ('something')")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("missing", FILLED)
def test_a_store_that_lacks_what_zenml_begins_with_is_not_finished(missing: str, store: Path) -> None:
    filled(store, [table for table in FILLED if table != missing])
    assert not is_complete(store)


def begun() -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BEGIN]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "tables", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)]
)
def test_a_half_made_store_is_made_anew(tables: int, store: Path) -> None:
    half_made(store, tables)
    assert not is_complete(store)
    out, err = begun().communicate(timeout=300)
    assert "WHOLE" in out, err
    assert is_complete(store)


def test_first_runs_at_once_take_turns(store: Path) -> None:
    runs = [begun() for _ in range(3)]
    said = [run.communicate(timeout=300) for run in runs]
    assert all("WHOLE" in out for out, _ in said), said
    assert is_complete(store)


def test_a_finished_store_is_left_alone(store: Path) -> None:
    filled(store, FILLED)
    before = store.read_bytes()
    ensure_store()
    assert store.read_bytes() == before


def test_a_server_sees_to_its_own_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENML_STORE_URL", "https://zenml.example.com")
    ensure_store()
    assert not store.exists()
