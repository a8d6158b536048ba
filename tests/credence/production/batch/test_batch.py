"""Batch scoring: every source and every output says what `predict` says, whole, once and in order."""

import fcntl
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.core.registry import SourceSpec, load_kind
from credence.predictor import Predictor
from credence.production.batch import BatchJob, assemble_output, score_job
from tests.support.batch_cases import ROWS, answers, done, expected, job, rows, saved, written
from tests.support.serving_cases import kept, raw_texts, trained

KINDS = ("csv", "jsonl", "parquet", "sql")
COLUMNS = [
    "row",
    "label",
    "probability",
    "low",
    "high",
    "uncertainty",
    "epistemic",
    "aleatoric",
    "set",
    "abstain",
    "reasons",
    "version",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("predictor") / "saved")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceSpec:
    return written("csv", rows(), tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def whole(folder: Path, source: SourceSpec, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of the job that nobody disturbed."""
    return done(job(source, tmp_path_factory.mktemp("whole") / "out.parquet"), folder)


def refused(wanted: BatchJob, folder: Path, **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        score_job(wanted, folder, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_is_answered_as_predict_does(kind: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    summary = score_job(job(written(kind, rows(), tmp_path), out, row_id="who"), folder)
    assemble_output(job(written("csv", rows(), tmp_path), out))
    found, truth = answers(out), expected(Predictor.load(folder), rows())
    assert list(found) == ["row", "row_id", *COLUMNS[1:]]
    assert found["row"].tolist() == list(range(ROWS))
    assert found["row_id"].tolist() == rows()["who"].tolist()
    for name in COLUMNS[2:8]:
        np.testing.assert_allclose(found[name], truth[name], rtol=0, atol=1e-12)
    for name in ("label", "abstain", "version"):
        assert found[name].tolist() == truth[name].tolist()
    for name in ("set", "reasons"):
        assert [list(cell) for cell in found[name]] == truth[name].tolist()
    assert (summary.rows, summary.rejected, summary.parts, summary.resumed) == (ROWS, 0, 6, 0)
    assert summary.share_yes == pytest.approx((truth["label"] == "yes").mean())
    assert summary.abstained == truth["abstain"].sum() > 0


def test_csv_and_jsonl_hold_the_same_answers(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    for suffix in ("parquet", "csv", "jsonl"):
        done(job(source, tmp_path / f"out.{suffix}"), folder)
    table = answers(tmp_path / "out.parquet")
    flat = pd.read_csv(tmp_path / "out.csv", float_precision="round_trip")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert list(flat) == list(lines[0]) == COLUMNS
    assert flat["probability"].tolist() == table["probability"].tolist() == [line["probability"] for line in lines]
    assert [json.loads(cell) for cell in flat["reasons"]] == [list(cell) for cell in table["reasons"]]
    assert [line["set"] for line in lines] == [list(cell) for cell in table["set"]]


def test_what_a_model_cannot_know_is_null(tmp_path: Path) -> None:
    """One opinion has no interval: an empty cell, never a word."""
    lone = kept(trained(load_kind("models", "tfidf")(folds=1))[0], tmp_path / "lone")
    raw_texts(9).to_csv(tmp_path / "texts.csv", index=False)
    source = SourceSpec(kind="csv", path=str(tmp_path / "texts.csv"))
    sentence = refused(job(source, tmp_path / "out.csv"), lone)
    assert "column 'text' is missing" in sentence and "Name the column to read with columns.text" in sentence
    for suffix in ("jsonl", "csv", "parquet"):
        done(job(source, tmp_path / f"out.{suffix}", text="review"), lone)
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["low"] is None and first["epistemic"] is None and first["uncertainty"] > 0
    assert ",,," in (tmp_path / "out.csv").read_text().splitlines()[1]
    assert answers(tmp_path / "out.parquet")["low"].isna().all()


@settings(max_examples=12, deadline=None)
@given(chunk=st.integers(1, 300), removed=st.sets(st.integers(0, 229)), kind=st.sampled_from(KINDS[:3]))
def test_any_chunks_and_any_interruption_give_the_same_answers(
    folder: Path, whole: bytes, tmp_path_factory: pytest.TempPathFactory, chunk: int, removed: set[int], kind: str
) -> None:
    """A kill leaves some parts behind, in whatever order they were finished, and half a file of another."""
    place = tmp_path_factory.mktemp("any")
    wanted = job(written(kind, rows(), place), place / "out.parquet", chunk_rows=chunk)
    first = score_job(wanted, folder)
    parts = Path(f"{wanted.out}.parts")
    gone = {i for i in removed if i < first.parts}
    for i in gone:
        (parts / f"{i:08}.parquet").rename(parts / f".{i:08}.parquet.77")
    again = score_job(wanted, folder)
    assert (again.resumed, again.rows, again.abstained) == (first.parts - len(gone), ROWS, first.abstained)
    assemble_output(wanted)
    (place / "whole.parquet").write_bytes(whole)
    found, truth = answers(place / "out.parquet"), answers(place / "whole.parquet")
    pd.testing.assert_frame_equal(found, truth, rtol=0, atol=1e-12)
    if chunk == 40 and kind == "csv":
        assert (place / "out.parquet").read_bytes() == whole
    assert not parts.exists()
    shutil.rmtree(place)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_resumed_job_writes_the_same_bytes(folder: Path, source: SourceSpec, tmp_path: Path, suffix: str) -> None:
    undisturbed = done(job(source, tmp_path / f"a.{suffix}"), folder)
    wanted = job(source, tmp_path / f"b.{suffix}")
    score_job(wanted, folder)
    for i in (0, 3):
        Path(f"{wanted.out}.parts", f"{i:08}.parquet").unlink()
    assert done(wanted, folder) == undisturbed


def test_several_processes_write_the_same_bytes(folder: Path, source: SourceSpec, whole: bytes, tmp_path: Path) -> None:
    assert done(job(source, tmp_path / "out.parquet", processes=2), folder) == whole


def test_shards_join(folder: Path, source: SourceSpec, whole: bytes, tmp_path: Path) -> None:
    wanted = job(source, tmp_path / "out.parquet")
    parts = [score_job(wanted, folder, shard=(i, 3)) for i in (2, 0)]
    with pytest.raises(InputError, match="2 chunks are not scored yet; run the job again, or its other shards"):
        assemble_output(wanted)
    parts.append(score_job(wanted, folder, shard=(1, 3)))
    assert [p.parts for p in parts] == [2, 2, 2]
    assert sum(p.rows for p in parts) == ROWS
    assert Path(assemble_output(wanted)).read_bytes() == whole
    assert Path(assemble_output(wanted)).read_bytes() == whole, "joining twice is joining once"


def test_what_a_killed_reader_never_saw_is_not_taken_for_the_end(
    folder: Path, source: SourceSpec, tmp_path: Path
) -> None:
    wanted = job(source, tmp_path / "out.parquet")
    score_job(wanted, folder)
    parts = Path(f"{wanted.out}.parts")
    (parts / "end.json").unlink()
    with pytest.raises(InputError, match="the end of the source is not scored yet"):
        assemble_output(wanted)


def test_the_caller_hears_of_every_chunk_once_and_before_it_counts(
    folder: Path, source: SourceSpec, tmp_path: Path
) -> None:
    heard: dict[int, Any] = {}
    wanted = job(source, tmp_path / "out.parquet")

    def hear(index: int, given: pd.DataFrame, found: pd.DataFrame) -> None:
        assert not Path(f"{wanted.out}.parts", f"{index:08}.parquet").exists()
        assert index not in heard
        if index == 2:
            raise RuntimeError("killed here")
        heard[index] = (given, found)

    with pytest.raises(RuntimeError):
        score_job(wanted, folder, on_chunk=hear)
    assert set(heard) == {0, 1}
    score_job(wanted, folder, on_chunk=lambda index, given, found: heard.update({index: (given, found)}))
    assert sorted(heard) == list(range(6))
    given, found = heard[5]
    assert given.index.tolist() == found.index.tolist() == list(range(200, ROWS))
    assert set(given["group"]) == {"north", "south"}
    assert "key_" in given


def test_a_kill_while_parts_are_cleared_leaves_no_parts_without_their_job(
    folder: Path, source: SourceSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a job with other chunks would take them for its own."""
    wanted, unlink, cleared = job(source, tmp_path / "out.parquet"), Path.unlink, []

    def killed(file: Path, missing_ok: bool = False) -> None:
        if len(cleared) == 4:
            raise RuntimeError("killed here")
        cleared.append(file) if file.parent.suffix == ".parts" and file.exists() else None
        unlink(file, missing_ok)

    score_job(wanted, folder)
    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(RuntimeError):
        assemble_output(wanted)
    monkeypatch.undo()
    undisturbed = Path(wanted.out).read_bytes()
    assert "another chunk rows" in refused(wanted.model_copy(update={"chunk_rows": 50}), folder)
    assert done(wanted, folder) == undisturbed
    assert not Path(f"{wanted.out}.parts").exists()


@pytest.mark.slow
def test_of_several_wrong_rows_the_first_is_named_whoever_finds_it(folder: Path, tmp_path: Path) -> None:
    source = spoiled(tmp_path, **{f"row_{i}": ("age (years)", "old") for i in range(5, ROWS, 3)})
    assert "row 6:" in refused(job(source, tmp_path / "out.csv", chunk_rows=4, processes=2), folder)


def test_another_job_in_the_same_place_is_refused(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    wanted = job(source, tmp_path / "out.parquet")
    score_job(wanted, folder)
    assert "an interrupted job with another chunk rows" in refused(wanted.model_copy(update={"chunk_rows": 50}), folder)
    assert "another row id" in refused(wanted.model_copy(update={"row_id": "who"}), folder)
    assert "another predictor" in refused(wanted, saved(tmp_path / "other", "random_forest"))
    other = written("csv", rows(20), tmp_path)
    sentence = refused(wanted.model_copy(update={"source": other}), folder)
    assert "another source" in sentence
    assert f"remove {wanted.out}.parts to start again" in sentence


def test_a_changed_file_is_another_source(folder: Path, tmp_path: Path) -> None:
    source = written("csv", rows(), tmp_path)
    wanted = job(source, tmp_path / "out.parquet")
    score_job(wanted, folder)
    os.utime(tmp_path / "rows.csv", (1, 1))
    assert "another source" in refused(wanted, folder)


def test_two_at_once_do_not_mix(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    wanted = job(source, tmp_path / "out.parquet")
    parts = Path(f"{wanted.out}.parts")
    parts.mkdir()
    with (parts / "shard-0-of-1.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process writes to it" in refused(wanted, folder)
    assert score_job(wanted, folder).rows == ROWS


def test_a_changed_predictor_is_refused(source: SourceSpec, tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    file = next(f for f in sorted((folder / "model").iterdir()) if f.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert file.name in refused(job(source, tmp_path / "out.parquet"), folder)


def spoiled(tmp_path: Path, **cells: Any) -> SourceSpec:
    """The rows with one cell changed per keyword argument: row_17 = (column, value)."""
    table = rows().astype(object)
    for row, (name, value) in cells.items():
        table.loc[int(row.removeprefix("row_")), name] = value
    return written("csv", table, tmp_path)


def test_a_row_that_cannot_be_read_ends_the_job_and_is_named(folder: Path, tmp_path: Path) -> None:
    source = spoiled(tmp_path, row_170=("age (years)", "old"), row_90=("dose, mg", "much"))
    sentence = refused(job(source, tmp_path / "out.parquet"), folder)
    assert f"{tmp_path}/rows.csv, row 91: column 'dose, mg': 'much' is not a number" in sentence
    assert "on_error=skip" in sentence
    assert refused(job(source, tmp_path / "other.parquet", chunk_rows=7), folder) == sentence


def test_rows_that_cannot_be_read_may_be_left_out(folder: Path, tmp_path: Path) -> None:
    cells = {
        "row_3": ("age (years)", "old"),
        "row_40": ("first seen", "soon"),
        "row_41": ("smokes", ""),
        "row_200": ("age (years)", "1e31"),
    }
    wanted = job(spoiled(tmp_path, **cells), tmp_path / "out.jsonl", on_error="skip")
    summary = score_job(wanted, folder)
    assert (summary.rows, summary.rejected) == (ROWS, 4)
    assemble_output(wanted)
    answered = [json.loads(line)["row"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert answered == [i for i in range(ROWS) if i not in (3, 40, 41, 200)]
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl.rejected.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == [3, 40, 41, 200]
    assert "'old' is not a number" in lines[0]["why"]
    assert "'soon' is not a date" in lines[1]["why"]
    assert "is empty, but it had no missing values in training" in lines[2]["why"]
    assert lines[0]["given"]["clinic"] in ("north", "south")


def test_a_chunk_of_nothing_but_wrong_rows_is_a_chunk(folder: Path, tmp_path: Path) -> None:
    table = rows().astype(object)
    table.loc[40:79, "age (years)"] = "old"
    wanted = job(written("csv", table, tmp_path), tmp_path / "out.parquet", on_error="skip")
    assert score_job(wanted, folder).rejected == 40
    assemble_output(wanted)
    assert len(answers(tmp_path / "out.parquet")) == ROWS - 40


def test_a_label_and_columns_of_no_use_are_left_aside(folder: Path, tmp_path: Path, whole: bytes) -> None:
    table = rows().assign(ill="perhaps", extra=range(ROWS))
    table = table[random.Random(0).sample(list(table), len(table.columns))]
    done(job(written("csv", table, tmp_path), tmp_path / "out.parquet"), folder)
    assert (tmp_path / "out.parquet").read_bytes() == whole


def test_columns_that_are_not_there_are_named(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    lacking = written("csv", rows().rename(columns={"smokes": "smoker"}), tmp_path)
    assert "column 'smokes' is missing. Did you mean 'smoker'?" in refused(job(lacking, tmp_path / "o.csv"), folder)
    wanted = job(source, tmp_path / "o.csv", row_id="whom")
    assert "column 'whom' is missing. Did you mean 'who'?" in refused(wanted, folder)


def test_an_empty_name_is_refused(folder: Path, tmp_path: Path) -> None:
    wanted = job(spoiled(tmp_path, row_50=("who", None)), tmp_path / "o.csv", row_id="who")
    assert "row 51: id column 'who' is empty" in refused(wanted, folder)


def test_outputs_that_cannot_be_are_told_before_anything_runs(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not an output format. Did you mean '.parquet'"):
        job(source, tmp_path / "out.parqet")
    assert "does not exist; create it first" in refused(job(source, tmp_path / "nowhere" / "out.csv"), folder)


def test_a_source_that_cannot_be_cut_is_read_whole(tmp_path: Path, folder: Path) -> None:
    assert "column 'age (years)' is missing" in refused(
        job(SourceSpec(kind="sklearn", name="breast_cancer"), tmp_path / "o.csv"), folder
    )
