"""Answers in a database: a chunk and the note that it is there come together or not at all."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine

from credence.core.errors import InputError
from credence.data.sources.sql import connect_database
from credence.production.batch import assemble_output, score_job
from credence.production.batch.database_sink import DatabaseSink
from tests.credence.data.sources.test_sources import postgres  # noqa: F401
from tests.support.batch_cases import ROWS, answers, done, job, rows, saved, written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("predictor") / "saved")


def read(url: str, table: str = "answers") -> pd.DataFrame:
    engine = connect_database(url, "out", new=True)
    found = pd.read_sql(f'select * from {table} order by "row"', engine)
    engine.dispose()
    return found


def killed(at: int) -> Any:
    def die(index: int, given: pd.DataFrame, found: pd.DataFrame) -> None:
        if index == at:
            raise RuntimeError("killed here")

    return die


def same_as_a_file(url: str, folder: Path, tmp_path: Path, processes: int = 1) -> None:
    source = written("csv", rows(), tmp_path)
    wanted = job(source, url, row_id="who", processes=processes)
    for at in (1, 4) if processes == 1 else ():
        with pytest.raises(RuntimeError):
            score_job(wanted, folder, on_chunk=killed(at))
        with pytest.raises(InputError, match="is not complete"):
            assemble_output(wanted)
    summary = score_job(wanted, folder)
    assert summary.rows == ROWS
    assert "table answers" in assemble_output(wanted)
    assert score_job(wanted, folder).resumed == 6
    done(job(source, tmp_path / "out.parquet", row_id="who"), folder)
    found, truth = read(url), answers(tmp_path / "out.parquet")
    for name in ("set", "reasons"):
        assert found[name].map(json.loads).tolist() == [list(cell) for cell in truth[name]]
    same = [c for c in truth if c not in ("set", "reasons")]
    pd.testing.assert_frame_equal(found[same].astype(truth[same].dtypes), truth[same], check_exact=True)


def test_sqlite_holds_what_a_file_would(folder: Path, tmp_path: Path) -> None:
    same_as_a_file(f"sqlite:///{tmp_path}/out.db", folder, tmp_path)


@pytest.mark.slow
def test_several_processes_share_sqlite(folder: Path, tmp_path: Path) -> None:
    same_as_a_file(f"sqlite:///{tmp_path}/out.db", folder, tmp_path, processes=2)


@pytest.mark.slow
def test_postgresql_holds_what_a_file_would(folder: Path, tmp_path: Path, postgres: str) -> None:  # noqa: F811
    same_as_a_file(postgres, folder, tmp_path)


@pytest.mark.slow
def test_postgresql_is_read_in_pieces(folder: Path, tmp_path: Path, postgres: str) -> None:  # noqa: F811
    engine = connect_database(postgres, "out")
    rows().to_sql("patients", engine, index=False)
    engine.dispose()
    source = {"kind": "sql", "url": postgres, "query": "select * from patients where who like 'p%' order by who"}
    done(job(written("csv", rows(), tmp_path), tmp_path / "a.parquet"), folder)
    done(job(source, tmp_path / "b.parquet"), folder)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_chunk_that_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    """The table refuses the second chunk; its note is not written either."""
    url = f"sqlite:///{tmp_path}/out.db"
    wanted = job(written("csv", rows(), tmp_path), url)
    with pytest.raises(RuntimeError):
        score_job(wanted, folder, on_chunk=killed(0))
    with sqlite3.connect(tmp_path / "out.db") as connection:
        connection.execute("create unique index one on answers (version)")
    connection.close()
    with pytest.raises(InputError, match="another process writes to table 'answers' too"):
        score_job(wanted, folder)
    assert read(url).empty
    assert DatabaseSink(wanted).finished() == {}


def test_rows_that_cannot_be_read_lie_beside(folder: Path, tmp_path: Path) -> None:
    table = rows().astype(object)
    table.loc[99, "age (years)"] = "old"
    url = f"sqlite:///{tmp_path}/out.db"
    wanted = job(written("csv", table, tmp_path), url, on_error="skip", table="judged")
    assert score_job(wanted, folder).rejected == 1
    assert len(read(url, "judged")) == ROWS - 1
    refused = read(url, "judged_rejected")
    assert refused["row"].tolist() == [99]
    assert json.loads(refused["given"][0])["age (years)"] == "old"


def test_tables_of_others_are_left_alone(folder: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/out.db"
    engine = create_engine(url)
    pd.DataFrame({"mine": [1]}).to_sql("answers", engine, index=False)
    engine.dispose()
    source = written("csv", rows(), tmp_path)
    with pytest.raises(InputError, match="already has a table 'answers'; name another one, or drop it"):
        score_job(job(source, url), folder)
    assert read_all(tmp_path / "out.db", "answers") == [(1,)]
    wanted = job(source, url, table="judged")
    score_job(wanted, folder)
    with pytest.raises(InputError, match=r"another chunk rows; .*drop the tables judged, judged_ledger"):
        score_job(wanted.model_copy(update={"chunk_rows": 41}), folder)


def read_all(path: Path, table: str) -> list[Any]:
    with sqlite3.connect(path) as connection:
        found = connection.execute(f"select * from {table}").fetchall()
    connection.close()
    return found


def test_rows_that_changed_during_a_pause_are_noticed(folder: Path, tmp_path: Path) -> None:
    """A file tells by its date; a query has nothing but its rows."""
    source = written("sql", rows(), tmp_path)
    wanted = job(source, tmp_path / "out.csv")
    with pytest.raises(RuntimeError):
        score_job(wanted, folder, on_chunk=killed(3))
    with sqlite3.connect(tmp_path / "rows.sql") as connection:
        connection.execute("update patients set \"age (years)\" = 1 where who = 'p-0050'")
    connection.close()
    with pytest.raises(InputError, match="rows 41 to 80 are no longer the ones that were scored before the pause"):
        score_job(wanted, folder)


def test_places_that_cannot_be_reached_are_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = written("csv", rows(20), tmp_path)
    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.setenv("SECRET", "hunter2@")
    for url, says in {
        "oracel://h/x": "names no database",
        "${NOWHERE}://h/x": "out reads the environment variable NOWHERE, which is not set",
        f"sqlite:///{tmp_path}/nowhere/out.db": "unable to open database file",
        "postgresql+psycopg://ada:${SECRET}@127.0.0.1:1/x?connect_timeout=1": "table 'answers' was not written",
    }.items():
        with pytest.raises(InputError, match="out") as caught:
            score_job(job(source, url), folder)
        assert says in str(caught.value)
        assert "hunter2" not in str(caught.value) and "\n" not in str(caught.value)
