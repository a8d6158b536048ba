"""The whole path as a user walks it: train, promote, deploy, train again, change one thing."""

import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from tests.support.project_copy import Project

QUICK = ("--set", "models=[{kind: logistic}, {kind: hist_gradient_boosting, folds: 2}]")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.copy(tmp_path_factory.mktemp("project"))


def test_the_path_from_rows_to_an_answer(project: Project) -> None:
    """Promotes a first champion and deploys it; the same command again is served from the cache and keeps it."""
    first = project.run(*QUICK)
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(r"^logistic .*\d", first.stdout, re.MULTILINE)
    assert re.search(r"^share of yes \(constant\) .*\d", first.stdout, re.MULTILINE)
    assert "promote: " in first.stdout
    assert "make serve" in first.stderr
    assert "same answers over HTTP" in first.stdout
    state = project.registries("breast_cancer")
    assert state["stages"] == {"1": "production"} and state["alias"] == "1" and state["registered"] == 1
    assert [(p["version"], p["how"]) for p in state["promotions"]["1"]] == [(1, "gate")]

    candidates = {r["name"]: r for r in state["runs"] if r["nested"]}
    assert set(candidates) == {"logistic", "hist_gradient_boosting"}
    for run in candidates.values():
        assert run["parameters"]["kind"] == run["name"]
        assert 0.5 < run["metrics"]["test/auroc"] <= 1
        assert run["files"] == ["pictures", "predictor"]
    whole = next(r for r in state["runs"] if not r["nested"])
    assert {"report.html", "card.md", "card.html", "predictor"} <= set(whole["files"])

    second = project.run(*QUICK)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "nothing to gain" in second.stdout and "served from the cache" in second.stdout
    assert "learned from 366 rows" not in second.stderr
    state = project.registries("breast_cancer")
    assert state["stages"]["1"] == "production" and state["alias"] == "1"


def test_another_minimum_judges_again_without_retraining(project: Project) -> None:
    again = project.run(*QUICK, "--set", "gate.minimum=0.999")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "keep: " in again.stdout and "0.999" in again.stdout
    assert "learned from 366 rows" not in again.stderr


def test_a_touched_file_of_the_package_trains_again(project: Project) -> None:
    file = project.folder / "credence" / "statistics" / "uncertainty.py"
    file.write_text(file.read_text() + "\n# touched\n")
    again = project.run(*QUICK)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stderr.count("learned from 366 rows") == 2
    assert "nothing to gain" in again.stdout


def test_a_table_without_yaml_and_a_better_challenger(project: Project, tmp_path: Path) -> None:
    """A weak first champion is surely beaten by a stronger one, which then replaces it in both registries."""
    data = tmp_path / "signal.csv"
    pairs = [(i % 97, (i * 31) % 89) for i in range(3000)]
    lines = [f"{x},{z},{'yes' if (x > 48) != (z > 70) else 'no'}" for x, z in pairs]
    data.write_text("\n".join(["x,z,answer", *lines]))
    own = ("--data", str(data), "--label", "answer", "--no-deploy")
    weak = project.run(*own, "--set", "models=[{kind: logistic, folds: 1}]")
    assert weak.returncode == 0, weak.stdout + weak.stderr
    assert (project.folder / "tasks" / "signal.yaml").is_file()
    assert "promote: " in weak.stdout
    (tmp_path / "far.csv").write_text("x,z\n" + "900,900\n" * 50)
    strong = project.run(
        "--task",
        "signal",
        "--no-deploy",
        "--set",
        "models=[{kind: hist_gradient_boosting, folds: 2}]",
        "--set",
        f"shift.far.source={{kind: csv, path: {tmp_path / 'far.csv'}}}",
    )
    assert strong.returncode == 0, strong.stdout + strong.stderr
    assert "promote: " in strong.stdout and "far: 50 rows from elsewhere" in strong.stderr
    state = project.registries("signal")
    assert any(run["metrics"].get("test/shift/far/flagged") == 1.0 for run in state["runs"] if not run["nested"])
    assert state["stages"] == {"1": "archived", "2": "production"} and state["alias"] == "2"
    assert [p["replaces"] for p in state["promotions"]["2"]] == [1] and state["promotions"]["2"][0]["reason"]


def test_a_password_of_the_source_enters_no_store(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZenML would write the value of a variable that a parameter names into its database."""
    secret = "hunter2-correct-horse"
    place = project.folder / f"{secret}.db"
    rows = pd.DataFrame({"size": range(400), "target": [n * 7 % 10 < n // 40 for n in range(400)]}).astype(int)
    with sqlite3.connect(place) as database:
        rows.to_sql("rows", database, index=False)
    monkeypatch.setenv("ROWS_PLACE", str(place))
    task = project.folder / "tasks" / "kept.yaml"
    source = "source: {kind: sql, url: 'sqlite:///${ROWS_PLACE}', query: select * from rows}\n"
    task.write_text(
        f"question: Is it?\n{source}columns: {{label: target, positive: 1}}\nmodels: [{{kind: logistic}}]\n"
    )
    done = project.run("--task", "kept", "--no-deploy")
    assert done.returncode == 0 and "400 rows" in done.stderr, done.stderr
    assert not [f for f in (project.folder / "stores").rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]
