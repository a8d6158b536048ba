"""Shift sets: read as the task's rows are, refused by name, and measured against the test rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from zenml.client import Client

from credence.core.errors import InputError
from credence.core.registry import SourceSpec
from credence.data.rows import Columns, SplitColumns, to_canonical_rows
from credence.data.shift_sets import SET_COLUMN, ShiftSet, to_shift_rows
from credence.dry_run import dry_run, load_shift_sets, preflight_checks, read_rows
from credence.reporting.model_card import model_card
from credence.reporting.model_report import Report, build_report
from credence.reporting.model_report.html_page import render
from credence.reporting.model_report.shift_evaluation import false_alarms
from credence.statistics.metrics import score
from credence.statistics.selective_prediction import risk_coverage
from credence.task import Task
from materializers.rows import RowsMaterializer
from steps.shared import tracking
from steps.training.evaluate_challenger import evaluate_challenger
from steps.training.load_shifts import load_shifts
from tests.support.evaluation_cases import (
    COLUMNS,
    TASK,
    findings,
    loans,
    part,
    parts,
    predictor,
    telling,
    text_predictor,
    verdict,
)

NONE = SplitColumns()


def far(n: int = 150) -> pd.DataFrame:
    """Loans of incomes far above those of training, in a branch that is new."""
    return loans(n, seed=5).assign(income=lambda t: t["income"] + 30, branch="west")


def sets() -> pd.DataFrame:
    """Three sets: far and labelled, far and not labelled, and more of the same."""
    rows, _ = parts()
    raw = {"far": far(), "unlabelled": far().drop(columns="repaid"), "same": loans(300, seed=6)}
    return pd.concat(
        [to_shift_rows(name, table, COLUMNS, NONE, rows) for name, table in raw.items()], ignore_index=True
    )


@pytest.fixture(scope="module")
def found() -> Report:
    dense = telling(
        predictor("logistic"), lambda X: {"ood_pvalue": np.where(X["income"] > 10, 0.0, 0.5 + 0.1 * (X["debt"] > 0))}
    )
    return build_report([dense], 0, None, part("test"), "accuracy", resamples=100, elsewhere=sets())


def test_rows_are_typed_like_those_of_training() -> None:
    rows, _ = parts()
    found = to_shift_rows("far", far().astype({"income": str}), COLUMNS, NONE, rows)
    assert list(found) == [SET_COLUMN, "row_id", "group", "key", "label", "income", "debt", "home", "label_", "branch"]
    assert found["income"].dtype == np.float64 and found["group"].eq("west").all() and found[SET_COLUMN].eq("far").all()
    assert found["label"].tolist() == far()["repaid"].astype(float).tolist()
    pd.testing.assert_series_equal(found["debt"], to_canonical_rows(far(), COLUMNS)["debt"])


def test_columns_that_the_task_does_not_know_are_left_aside() -> None:
    rows, _ = parts()
    assert "extra" not in to_shift_rows("far", far().assign(extra=1), COLUMNS, NONE, rows)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="income"), r"^shift\.far: column 'income' is missing\. "),
        (lambda t: t.rename(columns={"debt": "dept"}), r"^shift\.far: .* Did you mean 'dept'\?"),
        (lambda t: t.assign(income="much"), r"^shift\.far: column 'income', row 1: 'much' is not a number"),
        (lambda t: t.assign(income=np.inf), r"^shift\.far: column 'income', row 1: infinite"),
        (lambda t: t.head(0), r"^shift\.far: the data has a header but no rows\.$"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_sets_name(change: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        to_shift_rows("far", change(far()), COLUMNS, NONE, parts()[0])


@pytest.mark.parametrize(
    ("label", "columns", "expected"),
    [
        (["a", "b", "", None], {"positive": "a"}, [1, 0, None, None]),
        ([1, 1.0, "1", 0], {"positive": 1}, [1, 1, 1, 0]),
        (["a", "a", "a", "a"], {"positive": "a"}, [1, 1, 1, 1]),
        (["a", "b", "c", "d"], {"positive": ["a", "c"]}, [1, 0, 1, 0]),
        (["a", "b", "c", "d"], {"positive": "a", "negative": "b"}, [1, 0, None, None]),
    ],
)
def test_labels_are_welcome_and_not_needed(label: list[Any], columns: Any, expected: list[Any]) -> None:
    like, about = pd.DataFrame({"x": [1.0]}), Columns(label="y", **columns)
    raw = pd.DataFrame({"x": [1, 2, 3, 4], "y": pd.Series(label, dtype=object)})
    read = to_shift_rows("s", raw, about, NONE, like)["label"]
    assert [None if np.isnan(v) else v for v in read] == expected
    assert to_shift_rows("s", raw.drop(columns="y"), about, NONE, like)["label"].isna().all()


def test_texts_groups_and_keys_are_read_where_they_are() -> None:
    columns = Columns(label="y", positive=1, text="body", group="shop")
    raw = pd.DataFrame({"body": ["a", None, "c"], "shop": ["one", None, "two"], "author": ["x", "x", "y"]})
    like = pd.DataFrame({"text": ["q"], "group": ["one"]})
    read = to_shift_rows("s", raw, columns, SplitColumns(key="author"), like)
    assert read["text"].tolist() == ["a", "", "c"] and read["group"].tolist() == ["one", "missing", "two"]
    assert read["key"].tolist() == ["x", "x", "y"]
    assert to_shift_rows("s", raw[["body"]], columns, SplitColumns(key="author"), like)["group"].eq("all").all()


def test_every_set_is_measured(found: Report) -> None:
    assert [(s.name, s.rows, s.labelled) for s in found.shifts] == [
        ("far", 150, 150),
        ("unlabelled", 150, 0),
        ("same", 300, 300),
    ]
    distant, unlabelled, same = found.shifts
    assert distant.flagged.value == 1.0 and same.flagged.value is not None and same.flagged.value < 0.05
    assert distant.told["density"]["auroc"].value == 1.0 and distant.told["density"]["fpr95"].value == 0.0
    assert set(distant.told) == {"total", "epistemic", "density"} == set(found.selective)
    assert 0.4 < (same.told["total"]["auroc"].value or 0) < 0.6
    assert unlabelled.scores == {} and set(distant.scores) == {"accuracy", "ece", "log_loss"}


def test_figures_of_a_set_are_those_of_what_is_served(found: Report) -> None:
    rows = sets()
    rows = rows[rows[SET_COLUMN] == "same"].reset_index(drop=True)
    best, y = predictor("logistic"), rows["label"].to_numpy()
    answers, test = best.predict(rows), best.predict(part("test"))
    same = found.shifts[2]
    for name in ("accuracy", "log_loss", "ece"):
        expected = score(name, answers["probability"].to_numpy(), (answers["label"] == "yes").to_numpy(), y)
        assert same.scores[name].value == pytest.approx(expected), name
    foreign = np.r_[np.zeros(len(test)), np.ones(len(answers))]
    doubt = np.r_[test["epistemic"], answers["epistemic"]]
    assert same.told["epistemic"]["auroc"].value == pytest.approx(roc_auc_score(foreign, doubt))
    assert same.flagged.value == pytest.approx(np.mean([bool(why) for why in best.input_warnings(rows)]))


def test_every_figure_has_its_interval(found: Report) -> None:
    for s in found.shifts:
        for name, m in s.measured().items():
            assert m.value is not None and m.low is not None and m.high is not None, name
            assert m.low <= m.value <= m.high
    flat = found.flat()
    assert {"test/shift/far/flagged", "test/shift/far/auroc_total", "test/shift/same/fpr95_density_low"} <= set(flat)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=30), st.integers(0, 99))
def test_false_alarms_are_those_of_the_best_threshold(doubt: list[int], seed: int) -> None:
    scores, foreign = np.array(doubt, float), np.random.default_rng(seed).random(len(doubt)) < 0.5
    foreign[:2] = [True, False]
    rows, errors = risk_coverage(scores, foreign, np.ones((1, len(scores)), dtype=np.int64))
    thresholds = [t for t in np.unique(scores) if np.mean(scores[foreign] >= t) >= 0.95]
    expected = min(np.mean(scores[~foreign] >= t) for t in thresholds)
    assert false_alarms(rows, errors)[0] == pytest.approx(expected)


def test_a_report_on_a_single_draw_without_density_tells_by_total_alone() -> None:
    single = build_report([predictor("logistic", folds=1)], 0, None, part("test"), "f1", resamples=30, elsewhere=sets())
    assert all(set(s.told) == {"total"} for s in single.shifts)


def test_texts_from_elsewhere_are_flagged() -> None:
    best, rows = text_predictor()
    raw = pd.DataFrame({"t": [f"ein ganz anderer Text mit Nummer {i * 1000}" for i in range(40)]})
    other = to_shift_rows("german", raw, Columns(label="y", positive=1, text="t"), NONE, rows)
    found = build_report([best], 0, None, rows, "accuracy", resamples=30, elsewhere=other)
    assert found.shifts[0].flagged.value == 1.0 and (found.guarded.value if found.guarded else 1) < 0.1


def test_the_page_holds_a_table_of_them(found: Report) -> None:
    page = render(found, verdict(), findings(), TASK)
    part_of = page[page.index("<h2>Shift sets</h2>") :]
    for expected in ("far", "unlabelled", "same", "test rows", "AUROC by distance from training (density)", "log-loss"):
        assert expected in part_of
    assert part_of.count('<th scope="row">unlabelled</th>') == 1 and part_of.count('<th scope="row">far</th>') == 2


def test_the_card_says_what_answers_to_them_are_worth(found: Report) -> None:
    text = model_card(predictor("logistic"), found, verdict(), findings())
    assert "## Shift sets" in text
    for s in found.shifts:
        worth = s.scores["accuracy"].text() if s.scores else "not labelled"
        assert f"| {s.name} | {s.rows} | {s.flagged.text()} | {worth} |" in text


def written(folder: Path, **changes: Any) -> Path:
    """A task with a set from elsewhere, and its files."""
    loans().to_csv(folder / "loans.csv", index=False)
    far().to_csv(folder / "far.csv", index=False)
    shift = changes.get("shift", f"far: {{source: {{kind: csv, path: {folder / 'far.csv'}}}}}")
    (folder / "loans.yaml").write_text(
        f"question: Will it be repaid?\nsource: {{kind: csv, path: {folder / 'loans.csv'}}}\n"
        f"columns: {{label: repaid, positive: 1, group: branch}}\nshift: {{{shift}}}\nmodels: [{{kind: logistic}}]\n"
    )
    return folder / "loans.yaml"


def test_the_task_names_them_and_the_plan_counts_them(tmp_path: Path) -> None:
    task = Task.read(written(tmp_path))
    assert Task.model_validate_json(task.model_dump_json()) == task
    assert "\nshift far: 150 rows, 150 of them labelled\n" in dry_run(task, read_rows(task))
    preflight_checks(task)
    stored = Task.read(written(tmp_path, shift="later: {source: {kind: artifact, name: far.rows}}"))
    assert load_shift_sets(stored, read_rows(stored)) == [] and "shift" not in dry_run(stored, read_rows(stored))


@pytest.mark.parametrize(
    ("shift", "says"),
    [
        ("far: {source: {kind: cvs, path: x}}", "shift.far.source.kind: no source of kind 'cvs'. Did you mean 'csv'?"),
        ("far: {source: {kind: csv}}", "shift.far: sources of kind 'csv': path: this key is needed and missing"),
        ("far: {sauce: 1}", "shift.far.source: this key is needed and missing"),
        ("Far away: {}", "shift.Far away"),
    ],
)
def test_mistakes_in_the_task_name_the_set(tmp_path: Path, shift: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        Task.read(written(tmp_path, shift=shift))
    assert says in str(error.value)


def test_a_set_that_does_not_fit_ends_the_run_before_it_starts(tmp_path: Path) -> None:
    task = Task.read(written(tmp_path))
    far().drop(columns="home").to_csv(tmp_path / "far.csv", index=False)
    with pytest.raises(InputError, match=r"^shift\.far: column 'home' is missing"):
        preflight_checks(task)


def test_the_steps_read_and_measure_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "log_metadata", lambda *_, **__: None)
    far().to_csv(tmp_path / "far.csv", index=False)
    section = {"far": ShiftSet(source=SourceSpec(kind="csv", path=str(tmp_path / "far.csv")))}
    rows, _ = parts()
    read = load_shifts.entrypoint(section, COLUMNS, NONE, rows, None)
    assert len(read) == 150 and len(load_shifts.entrypoint(section, COLUMNS, NONE, rows, 20)) == 20
    place = Path(Client().active_stack.artifact_store.path) / "tests" / tmp_path.name
    place.mkdir(parents=True)
    materializer = RowsMaterializer(str(place), Client().active_stack.artifact_store)
    materializer.save(read)
    stored = materializer.load(pd.DataFrame)
    best = predictor("logistic", folds=1)
    report = evaluate_challenger.entrypoint(best, [best], part("test"), "accuracy", stored)
    assert [s.name for s in report.shifts] == ["far"] and report.shifts[0].flagged.value == 1.0
    assert evaluate_challenger.entrypoint(best, [best], part("test"), "accuracy").shifts == []


def test_the_step_names_a_set_that_nobody_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    section = {"far": ShiftSet(source=SourceSpec(kind="artifact", name="nothing"))}
    with pytest.raises(InputError, match=r"^shift\.far: source\.name: no pipeline has stored rows as 'nothing' yet\.$"):
        load_shifts.entrypoint(section, COLUMNS, NONE, parts()[0], None)
