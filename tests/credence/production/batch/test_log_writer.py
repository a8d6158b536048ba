"""Batch answers are in the log as HTTP answers are, each once, however often its chunk is scored."""

import json
from pathlib import Path

import numpy as np
import pytest

from credence.core.registry import SourceSpec
from credence.data.prediction_log.reader import read_predictions
from credence.predictor import Predictor, read_info
from credence.production.batch import BatchJob, score_job
from credence.production.batch.log_writer import BatchLog
from credence.security.log_policy import LogPolicy
from tests.support.batch_cases import job, rows, saved, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return saved(tmp_path / "predictor")


@pytest.fixture
def source(tmp_path: Path) -> SourceSpec:
    return written("csv", rows(), tmp_path)


def logged(folder: Path, what: BatchJob, log: Path) -> BatchLog:
    journal = BatchLog.of(log, read_info(folder), what)
    score_job(what, folder, on_chunk=journal)
    return journal


@pytest.mark.parametrize("processes", [1, 2])
def test_every_row_leaves_one_record(processes: int, folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    logged(folder, job(source, tmp_path / "out.parquet", processes=processes), tmp_path / "log")
    found = read_predictions(tmp_path / "log").frame
    assert len(found) == len(rows()) and set(found["source"]) == {"batch"} and found["delivered"].all()
    assert not found.duplicated(["request_id", "row"]).any()
    ages = sorted(json.loads(i)["age (years)"] for i in found["inputs"])
    assert ages == sorted(rows()["age (years)"])


def test_a_record_holds_the_answer(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    logged(folder, job(source, tmp_path / "out.parquet", chunk_rows=1000), tmp_path / "log")
    found = read_predictions(tmp_path / "log").frame.sort_values("row")
    info = read_info(folder)
    assert set(found["version"]) == {info.version} and set(found["label"]) <= set(info.answers)
    assert found["latency_ms"].isna().all() and np.isfinite(found["probability"]).all()


def test_a_chunk_that_is_scored_again_is_logged_once(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    what = job(source, tmp_path / "out.parquet")
    predictor, asked = Predictor.load(folder), Predictor.load(folder).reference.head(5)
    journal = BatchLog.of(tmp_path / "log", predictor.info, what)
    for _ in range(3):
        journal(0, asked, predictor.predict(asked))
    journal(1, asked.head(0), predictor.predict(asked).head(0))
    assert len(read_predictions(tmp_path / "log").frame) == 5


def test_another_job_is_another_request(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    jobs = [job(source, tmp_path / f"out_{i}.parquet") for i in range(2)]
    names = {BatchLog.of(tmp_path / "log", read_info(folder), what).name for what in jobs}
    assert len(names) == 2


def test_what_shall_be_hashed_is_hashed_here_too(folder: Path, source: SourceSpec, tmp_path: Path) -> None:
    info = read_info(folder).model_copy(update={"log": LogPolicy(inputs="hashed")})
    predictor = Predictor.load(folder)
    asked = predictor.reference.head(5)
    BatchLog(tmp_path / "log", info, "batch-x")(0, asked, predictor.predict(asked))
    for inputs in read_predictions(tmp_path / "log").frame["inputs"]:
        assert all(v is None or v.startswith("#") for v in json.loads(inputs).values())
