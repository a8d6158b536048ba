"""A row is answered in a batch as it is over HTTP."""

import json
from pathlib import Path

import pytest

from credence.core.registry import SourceSpec
from tests.support.batch_cases import done, job, plain, rows, written
from tests.support.serving_cases import client, kept, raw_texts, trained
from tests.support.small_kinds import small

NUMBERS = ("probability", "low", "high", "uncertainty", "epistemic", "aleatoric")


def agree(batch: list[dict[str, object]], http: list[dict[str, object]]) -> None:
    assert len(batch) == len(http) > 0
    for mine, theirs in zip(batch, http, strict=True):
        assert list(mine)[1:] == list(theirs)
        for name, value in theirs.items():
            assert mine[name] == (pytest.approx(value, abs=1e-12) if name in NUMBERS else value), name


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sql"])
def test_a_table_is_answered_as_over_http(kind: str, tmp_path: Path) -> None:
    folder, table = kept(trained(small("logistic"))[0], tmp_path / "saved"), rows(60)
    table.loc[7, "age (years)"] = 999.0
    table.loc[8, "colour"] = "purple"
    source = written(kind, table, tmp_path)
    lines = done(job(source, tmp_path / "out.jsonl", chunk_rows=13), folder).decode().splitlines()
    with client(folder, f"batch_{kind}") as http:
        bodies = [{k: v for k, v in record.items() if k != "who"} for record in plain(table)]
        answers = http.post("/batch_predict", json={"rows": bodies}).json()["answers"]
    agree([json.loads(line) for line in lines], answers)
    assert answers[7]["reasons"] and answers[8]["reasons"]


def test_texts_are_answered_as_over_http(tmp_path: Path) -> None:
    folder, table = kept(trained(small("tfidf"))[0], tmp_path / "saved"), raw_texts(40, seed=3).drop(columns="label")
    table.to_csv(tmp_path / "rows.csv", index=False)
    source = SourceSpec(kind="csv", path=str(tmp_path / "rows.csv"))
    lines = done(job(source, tmp_path / "out.jsonl", chunk_rows=7, text="review"), folder).decode().splitlines()
    with client(folder, "batch_texts") as http:
        bodies = [{"text": row.review, "shop": row.shop} for row in table.itertuples()]
        answers = http.post("/batch_predict", json={"rows": bodies}).json()["answers"]
    agree([json.loads(line) for line in lines], answers)


def test_what_http_refuses_is_left_out_here(tmp_path: Path) -> None:
    """None is answered here that a server would send back."""
    folder = kept(trained(small("logistic"))[0], tmp_path / "saved")
    spoiled = {
        "age (years)": [None, "old", 1e31],
        "dose, mg": ["much"],
        "smokes": [None, 7, "no"],
        "key": [None],
        "first seen": ["now", None],
    }
    records = []
    for name, values in spoiled.items():
        records += [{**plain(rows(1))[0], name: value} for value in values]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(r)}\n" for r in [plain(rows(1))[0], *records]))
    source = SourceSpec(kind="jsonl", path=str(path))
    done(job(source, tmp_path / "out.jsonl", on_error="skip"), folder)
    kept_rows = [json.loads(line)["row"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    with client(folder, "batch_refusing") as http:
        bodies = [{k: v for k, v in r.items() if k != "who"} for r in [plain(rows(1))[0], *records]]
        taken = [i for i, body in enumerate(bodies) if http.post("/predict", json=body).status_code == 200]
    assert taken == kept_rows
