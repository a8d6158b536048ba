"""The rows of a run in a table: each once, however often they are sent and whatever goes wrong."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import text

from credence.core.errors import InputError
from credence.data.sources.sql import connect_database
from credence.generation.ledger import Ledger
from credence.generation.ledger.sql_export import SqlSink
from tests.credence.data.sources.test_sources import postgres  # noqa: F401
from tests.support.ledger_cases import fill, opened, result


def filled(folder: Path) -> Ledger:
    ledger, _ = opened(folder)
    fill(ledger, 6)
    return ledger


def there(url: str, run: str | None = None) -> list[dict[str, Any]]:
    engine = connect_database(url, "url", new=True)
    with engine.connect() as connection:
        found = connection.execute(text("select * from items order by run_spec_id, content_id")).mappings().all()
    engine.dispose()
    return [dict(row) for row in found if run in (None, row["run_spec_id"])]


def execute(url: str, *statements: str) -> None:
    engine = connect_database(url, "url", new=True)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def holds_each_row_once(url: str, folder: Path) -> None:
    sink = SqlSink(url=url, table="items")
    with filled(folder) as ledger:
        rows = ledger.results()
        wanted = [{"run_spec_id": ledger.spec_id, **row} for row in rows.to_pylist()]
        assert sink.write(rows.slice(0, 7), ledger.spec_id) == 7
        for _ in range(2):
            assert sink.write(rows, ledger.spec_id) == 16
            assert there(url) == wanted
        assert sink.write(rows.slice(3, 2), "another run") == 2
        assert there(url, ledger.spec_id) == wanted and len(there(url)) == 18
        with pytest.raises(InputError, match=r"table 'items' was not written: .*; check sink"):
            sink.write(pa.concat_tables([rows, rows]), ledger.spec_id)
        assert there(url, ledger.spec_id) == wanted, "a write that fails half-way leaves what was there"


def test_sqlite(tmp_path: Path) -> None:
    holds_each_row_once(f"sqlite:///{tmp_path}/out.db", tmp_path / "ledger")


@pytest.mark.slow
def test_postgresql(tmp_path: Path, postgres: str) -> None:  # noqa: F811
    holds_each_row_once(postgres, tmp_path / "ledger")


def test_a_row_that_lost_its_place_goes(tmp_path: Path) -> None:
    """A slot with a smaller id took the content: the next export says so, too."""
    url = f"sqlite:///{tmp_path}/out.db"
    sink = SqlSink(url=url, table="items")
    ledger, due = opened(tmp_path / "ledger")
    with ledger:
        first, second = sorted(random.Random(1).sample(due, 2), key=lambda s: s.slot_id)
        ledger.record([result(second, "c")])
        sink.write(ledger.results(), ledger.spec_id)
        ledger.record([result(first, "c")])
        sink.write(ledger.results(), ledger.spec_id)
        assert [row["slot_id"] for row in there(url)] == [first.slot_id]


def test_no_rows_are_a_table_all_the_same(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/out.db"
    ledger, _ = opened(tmp_path / "ledger")
    with ledger:
        assert SqlSink(url=url, table="items").write(ledger.results(), ledger.spec_id) == 0
    assert there(url) == []


@pytest.mark.parametrize("columns", ["content_id text", "a int, b int"])
def test_a_table_of_somebody_else_is_left_alone(tmp_path: Path, columns: str) -> None:
    url = f"sqlite:///{tmp_path}/out.db"
    execute(url, f"create table items ({columns})", f"insert into items ({columns.split()[0]}) values (1)")
    says = r"has another table 'items'; name another in sink\.table, or drop it"
    with filled(tmp_path / "ledger") as ledger, pytest.raises(InputError, match=says):
        SqlSink(url=url, table="items").write(ledger.results(), ledger.spec_id)


def test_a_database_that_is_not_there_and_a_password_that_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter2@/:%")
    away = "postgresql+psycopg://ada:${SECRET}@127.0.0.1:1/x?connect_timeout=1"
    with filled(tmp_path) as ledger:
        with pytest.raises(InputError) as refusal:
            SqlSink(url=away, table="items").write(ledger.results(), ledger.spec_id)
        assert "table 'items' was not written: " in str(refusal.value) and "hunter2" not in str(refusal.value)
        with pytest.raises(InputError, match=r"sink\.url reads the environment variable ABSENT"):
            SqlSink(url="sqlite:///${ABSENT}", table="items").write(ledger.results(), ledger.spec_id)
