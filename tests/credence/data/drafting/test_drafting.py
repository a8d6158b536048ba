"""Drafting and planning: what is decided for a bare table, and that what is written is a task that runs."""

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.data.checks import Checks
from credence.data.drafting import Draft, draft_from_cli, draft_task, task_name
from credence.data.drafting.column_roles import infer_column_roles, is_text
from credence.data.drafting.label_values import infer_label_values
from credence.data.rows import Columns, to_canonical_rows
from credence.data.split import Split
from credence.dry_run import dry_run
from credence.statistics.calibration import Calibration
from credence.task import Task

ROOT = Path(__file__).parents[4]
SOURCE = {"kind": "csv", "path": "t.csv"}
SENTENCES = [f"this is review number {i} and it is a {'fine' if i % 3 else 'poor'} one" for i in range(300)]


def table(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age, town = rng.integers(18, 80, n), rng.choice(["Bonn", "Kiel", "Ulm"], n)
    left = np.where(age + rng.normal(size=n) * 20 + 15 * (town == "Ulm") > 75, "Yes", "No")
    return pd.DataFrame({"age": age, "town": town, "left": left})


def texts() -> pd.DataFrame:
    return pd.DataFrame({"label": ["ham" if i % 3 else "spam" for i in range(300)], "message": SENTENCES})


def drafted(raw: pd.DataFrame, label: str = "left", **more: Any) -> Draft:
    return draft_task(raw, "mine", SOURCE, label, **more)


def chosen(*values: Any, positive: str | None = None) -> Any:
    return infer_label_values(pd.Series(values, name="y"), positive).positive


@pytest.mark.parametrize(
    ("values", "yes"),
    [
        (("no", "yes"), "yes"),
        (("N", "Y"), "Y"),
        ((0, 1), 1),
        ((0.0, 1.0), 1),
        (("0", "1"), "1"),
        ((1, -1), 1),
        ((2, 4), 4),
        ((True, False), True),
        (("ham", "spam"), "spam"),
        (("neg", "pos"), "pos"),
        (("benign", "cancer"), "cancer"),
        (("no-recurrence", "recurrence"), "recurrence"),
        (("Biased", "Non-biased"), "Biased"),
        (("a", "a", "b"), "b"),
        (("left", "left", "right"), "right"),
        ((">50K", "<=50K", "<=50K"), ">50K"),
        (("M", "B", "B"), "M"),
        (("churned", "churned", "stayed"), "churned"),
        (("ja", "ja", "nein"), "ja"),
        (("oui", "oui", "non"), "oui"),
    ],
)
def test_yes_is_guessed(values: tuple[Any, ...], yes: Any) -> None:
    assert chosen(*values) == yes
    assert type(chosen(*values)) is type(yes)
    assert chosen(*reversed(values)) == yes


def test_spellings_of_an_answer_are_one_answer() -> None:
    values = ["yes", "yes", "Yes", "NO", "NO", " no"]
    assert chosen(*values) == ["yes", "Yes"]
    assert chosen(*values, positive="No") == ["NO", "no"]
    assert chosen("a", "A", "A", positive="A") == "A"


def test_several_values_may_mean_yes() -> None:
    levels = [0, 1, 2, 3, 4, 0]
    assert chosen(*levels, positive="1,2, 3,4") == [1, 2, 3, 4]
    assert chosen(*levels, positive="0") == 0
    assert chosen("a, b", "c", positive="a, b") == "a, b"
    assert chosen("Yes", "No", positive="yes") == "Yes"


@pytest.mark.parametrize(
    ("values", "positive", "says"),
    [
        ([0, 1, 2], None, "'--positive \"1,2\"'"),
        (list("abc"), None, "holds 3 values: 'a' (1)"),
        (["x", "x"], None, "holds only 'x' (2)"),
        ([None, None], None, "is empty"),
        (["yes", "no"], "yse", "Did you mean 'yes'"),
        (["a", "b"], "a,b", "every value"),
        (list(np.linspace(0, 1, 50)), None, "50 different values"),
    ],
)
def test_what_cannot_be_guessed_is_asked(values: list[Any], positive: str | None, says: str) -> None:
    with pytest.raises(InputError) as caught:
        infer_label_values(pd.Series(values, name="y"), positive)
    assert says.strip("'") in str(caught.value)


def test_rows_that_decide_nothing_are_left_out() -> None:
    found = infer_label_values(pd.Series(["Biased", "Non-biased", "No agreement", None, "Non-biased"], name="y"))
    assert (found.positive, found.negative, found.gaps) == ("Biased", "Non-biased", 1)
    assert found.share == pytest.approx(1 / 3)
    assert any("'No agreement' are left out" in note for note in found.notes)
    assert any("1 rows without a label" in note for note in found.notes)


def test_the_question_is_worded_from_the_label() -> None:
    content = drafted(table()).content
    assert content["question"] == "left?"
    assert content["answers"] == ["No", "Yes"]
    several = infer_label_values(pd.Series([0, 1, 2], name="stage"), "1,2")
    assert (several.question, several.words) == ("Is stage one of 1, 2?", ("no", "yes"))
    spam = infer_label_values(pd.Series(["ham", "spam"], name="kind"))
    assert (spam.question, spam.words) == ("Is kind spam?", ("ham", "spam"))


def test_a_plain_table_gets_the_tabular_candidates() -> None:
    made = drafted(table())
    assert made.content["columns"] == {"label": "left", "positive": "Yes"}
    assert [m["kind"] for m in made.content["models"]][:2] == ["logistic", "random_forest"]
    assert made.content["gate"] == {
        "metric": "balanced_accuracy" if (table()["left"] == "Yes").mean() < 0.2 else "accuracy"
    }


def test_rare_answers_are_judged_by_balanced_accuracy() -> None:
    raw = table().assign(left=["Yes" if i % 10 == 0 else "No" for i in range(300)])
    made = drafted(raw)
    assert made.content["gate"] == {"metric": "balanced_accuracy"}
    assert any("10.0%" in note and "balanced" in note for note in made.notes)


def test_columns_that_cannot_help_are_ignored_and_said() -> None:
    raw = table().assign(
        customer_id=[7 * i % 3001 for i in range(300)],
        unit="cm",
        churned=lambda t: t["left"].map({"Yes": 1, "No": 0}),
        note=SENTENCES,
        code=[f"c{i}" for i in range(300)],
        page=[f"c{i // 1.5}" for i in range(300)],
        since=[f"2024-01-{1 + i % 28:02}" for i in range(300)],
        filled=[None] * 299 + ["x"],
        size=[f"{i % 4}-{i % 4 + 1}" for i in range(300)],
        kind=["a", None] * 150,
    )
    for i in range(7):
        raw[f"more_{i}"] = np.random.default_rng(i).normal(size=300)
    made = drafted(raw)
    assert set(made.content["columns"]["ignore"]) == {
        "customer_id",
        "unit",
        "churned",
        "note",
        "code",
        "page",
        "filled",
    }
    for column in made.content["columns"]["ignore"]:
        assert sum(note.startswith(f"{column} is ignored: it ") for note in made.notes) == 1
    assert any("repeats the label left" in note for note in made.notes)
    assert any("--text note" in note for note in made.notes)
    assert any(note.startswith("since holds dates and is kept") for note in made.notes)


def test_text_nearly_alone_is_the_input() -> None:
    made = drafted(texts().assign(id=range(300), stars=[i % 5 for i in range(300)]), "label")
    assert made.content["columns"] == {"label": "label", "positive": "spam", "text": "message"}
    assert made.content["models"] == [{"kind": "tfidf"}]
    assert any("; not read: id, stars" in note for note in made.notes)


@pytest.mark.parametrize(("words", "read"), [(6, False), (20, True)])
def test_long_texts_outweigh_more_columns(words: int, read: bool) -> None:
    raw = texts().assign(message=[f"number {i}" + " word" * (words - 2) for i in range(300)])
    for i in range(5):
        raw[f"c{i}"] = np.random.default_rng(i).normal(size=300)
    assert ("text" in drafted(raw, "label").content["columns"]) is read


def test_of_several_texts_the_wordiest_is_read() -> None:
    raw = texts().assign(title=[f"title of review number {i}" for i in range(300)])
    assert drafted(raw, "label").content["columns"]["text"] == "message"
    assert drafted(raw, "label", text="title").content["columns"]["text"] == "title"


def test_short_texts_count_where_nothing_else_is_left() -> None:
    raw = pd.DataFrame({"y": [i % 2 for i in range(100)], "headline": [f"big news {i}" for i in range(100)]})
    assert drafted(raw, "y").content["columns"]["text"] == "headline"


def test_scripts_without_spaces_are_text_too() -> None:
    words = ["电影", "我", "喜欢", "不", "演员", "糟糕", "精彩", "无聊", "故事", "音乐"]
    rng = np.random.default_rng(0)
    raw = pd.DataFrame(
        {"text": ["".join(rng.permutation(words)) for _ in range(200)], "name": ["王小明", "李雷"] * 100}
    )
    raw["good"] = rng.integers(0, 2, 200)
    assert drafted(raw, "good").content["columns"]["text"] == "text"
    assert is_text(pd.Series([f"หนังเรื่องนี้สนุกมาก{i}" for i in range(9)]))
    assert not is_text(pd.Series(["王小明", "司马相如", "李雷"]))


def test_a_split_that_comes_with_the_data_is_used() -> None:
    raw = texts().assign(part=["train"] * 200 + ["test"] * 100)
    made = drafted(raw, "label")
    assert made.content["split"] == {"column": "part"}
    assert "part" not in made.content["columns"].get("ignore", [])
    assert infer_column_roles(raw.assign(part="train"), "label", set()).split is None


def test_what_is_named_is_obeyed() -> None:
    raw = table().assign(id=[f"r{i}" for i in range(300)], clinic=["a", "b"] * 150)
    columns = drafted(raw, row_id="id", group="clinic").content["columns"]
    assert (columns["row_id"], columns["group"]) == ("id", "clinic")
    assert "ignore" not in columns


@pytest.mark.parametrize(("label", "column"), [("left", "left"), ("last", "left"), ("3", "left")])
def test_the_label_by_name_by_place_or_by_number(label: str, column: str) -> None:
    assert drafted(table(), label).content["columns"]["label"] == column


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"label": "lfet"}, "--label lfet: no such column. Did you mean 'left'"),
        ({"label": "9"}, "--label 9"),
        ({"text": "twon"}, "--text twon: no such column. Did you mean 'town'"),
        ({"row_id": "x"}, "--id x"),
        ({"row_id": "town"}, "--id town: holds 3 different values in 300 rows, expected one per row"),
        ({"group": "left"}, "that is the label"),
    ],
)
def test_names_that_do_not_exist_are_corrected(more: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        drafted(table(), **{"label": "left", **more})
    assert says in str(caught.value)


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"no column but the label .* \(id is ignored: .*; where one is text, say --text COLUMN"
    ):
        drafted(pd.DataFrame({"id": range(50), "left": ["Yes", "No"] * 25}))
    with pytest.raises(InputError, match=r"\(the table has no other\)"):
        drafted(pd.DataFrame({"left": ["Yes", "No"] * 25}))


def test_what_is_text() -> None:
    assert is_text(pd.Series(SENTENCES))
    assert not is_text(pd.Series(SENTENCES[:1] * 300))
    assert not is_text(pd.Series(["Braund, Mr. Owen Harris", "Heikkinen, Miss. Laina"] * 9))
    assert not is_text(pd.Series([1.0, 2.0]))
    assert not is_text(pd.Series([None, None], dtype=object))


def test_the_file_is_yaml_that_a_person_can_read_and_a_task_can_parse(tmp_path: Path) -> None:
    raw = table().assign(
        left=lambda t: t["left"].map({"Yes": ">50K: on", "No": "no"}), name=[f"n{i}" for i in range(300)]
    )
    made = drafted(raw)
    made.write(tmp_path / "deep" / "mine.yaml")
    written = (tmp_path / "deep" / "mine.yaml").read_text()
    assert written.startswith("# Drafted")
    assert all(f"# - {note}" in written for note in made.notes)
    task = Task.read(tmp_path / "deep" / "mine.yaml")
    assert task.columns.positive == ">50K: on"
    assert task.answers == ("no", ">50K: on")
    assert [m.kind for m in task.models] == [m["kind"] for m in made.content["models"]]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Churn Data-2024.csv", "churn_data_2024"),
        ("a.b/x.csv.gz", "x"),
        ("Zürich.csv", "zurich"),
        ("東京.csv", "task"),
        ("-x-.jsonl", "x"),
        ("a" * 99, "a" * 60),
    ],
)
def test_files_name_tasks(file: str, name: str) -> None:
    assert task_name(Path(file)) == name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    table().to_csv("churn.csv", index=False)
    return tmp_path


def flags(data: str, label: str = "left", **more: str | None) -> Namespace:
    return Namespace(
        **{"data": data, "label": label, "positive": None, "text": None, "id": None, "group": None, **more}
    )


def test_the_command_line_writes_a_task_and_keeps_an_edited_one(place: Path) -> None:
    path, notes = draft_from_cli(flags("churn.csv"))
    assert path == Path("tasks/churn.yaml")
    assert notes[-1] == "wrote tasks/churn.yaml"
    assert draft_from_cli(flags("churn.csv"))[0] == path
    draft_from_cli(flags("churn.csv", positive="No"))
    assert Task.read(path).columns.positive == "No"
    path.write_text(path.read_text() + "# mine\n")
    with pytest.raises(InputError, match=r"then changed; run it with --task tasks/churn\.yaml"):
        draft_from_cli(flags("churn.csv"))


def test_another_table_of_the_same_name_gets_a_number(place: Path) -> None:
    first, _ = draft_from_cli(flags("churn.csv"))
    before = first.read_text()
    Path("old").mkdir()
    table(200).to_csv("old/churn.csv", index=False)
    for _ in range(2):
        path, notes = draft_from_cli(flags("old/churn.csv"))
        assert path == Path("tasks/churn_2.yaml")
        assert notes[-1] == "wrote tasks/churn_2.yaml"
    assert first.read_text() == before
    assert Task.read(path).name == "churn_2"


def test_columns_that_read_as_numbers_or_dates_are_no_words() -> None:
    rng = np.random.default_rng(1)
    moments = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(300) * 7001, "s")
    raw = table().assign(
        pay=[f"${v:,.2f}" for v in rng.uniform(500, 9000, 300)], seen=[f"{m.isoformat()}+02:00" for m in moments]
    )
    roles = infer_column_roles(raw, "left", set())
    assert {"pay", "seen"} <= set(roles.inputs)
    assert any(note.startswith("seen holds dates") for note in roles.notes)


def test_who_comes_back_is_worth_a_note() -> None:
    rng = np.random.default_rng(2)
    raw = table(600).assign(customer_id=rng.integers(0, 90, 600), customer_age=rng.integers(0, 90, 600))
    notes = [note for note in infer_column_roles(raw, "left", set()).notes if "split.key" in note]
    assert len(notes) == 1
    assert notes[0].startswith("customer_id comes back (90 values in 600 rows); --set split.key=customer_id ")


def test_many_rows_get_quick_candidates_and_a_note() -> None:
    made = drafted(table(30_001))
    assert [m["kind"] for m in made.content["models"]] == ["logistic", "hist_gradient_boosting", "lightgbm"]
    assert any(note.startswith("random_forest, extra_trees, ") and "30,001 rows" in note for note in made.notes)
    assert "stacking" in [m["kind"] for m in drafted(table()).content["models"]]


def test_the_kind_of_source_is_read_off_the_file(place: Path) -> None:
    table().to_parquet("p.parquet")
    table().to_json("j.jsonl.gz", orient="records", lines=True)
    table().to_csv("u.data", index=False, header=False)
    for answer in ("pos", "neg"):
        Path("films", answer).mkdir(parents=True)
        for i in range(9):
            Path("films", answer, f"{i}.txt").write_text(f"a film that was number {i} of {answer}")
    data = [("p.parquet", "left"), ("j.jsonl.gz", "left"), ("u.data", "last"), ("films", "label")]
    kinds = [Task.read(draft_from_cli(flags(file, label))[0]).source.kind for file, label in data]
    assert kinds == ["parquet", "jsonl", "csv", "folder"]


def test_the_plan_says_what_was_understood(place: Path) -> None:
    task = Task.read(draft_from_cli(flags("churn.csv"))[0])
    rows = to_canonical_rows(task.source.build().read(), task.columns, task.split.split_columns())
    said = dry_run(task, rows.assign(age=rows["age"].where(rows.index > 2)))
    assert said.startswith("left?  (No / Yes)\n300 rows, ")
    for expected in (
        "inputs, number: age\n",
        "inputs, category: town\n",
        "train: ",
        "calibration: ",
        "test: ",
        "missing: age 1",
        "candidates: logistic, random_forest",
        "points of accuracy would usually go unnoticed",
    ):
        assert expected in said
    sizes = [int(line.split()[1]) for line in said.splitlines() if line.startswith(("train", "calibration", "test"))]
    assert sum(sizes) == 300


def test_the_plan_calls_columns_as_the_table_does(place: Path) -> None:
    raw = table().rename(columns={"age": "when", "town": "text"}).assign(key=lambda t: (t["left"] == "Yes") * 2.5)
    raw["when"] = raw["when"].where(raw.index > 9)
    raw.to_csv("odd.csv", index=False)
    task = Task.read(draft_from_cli(flags("odd.csv"))[0], {"columns.ignore": []})
    said = dry_run(task, to_canonical_rows(task.source.build().read(), task.columns))
    for expected in ("number: when, key\n", "category: text\n", "missing: when 3", "column 'key' alone predicts"):
        assert expected in said


def test_the_plan_names_findings(place: Path) -> None:
    raw = pd.concat([table(), table()[:40]]).assign(told=lambda t: np.where(t["left"] == "Yes", 3.5, -1.0))
    raw.to_csv("churn.csv", index=False)
    draft_task(raw.drop(columns="told"), "leaky", {"kind": "csv", "path": "churn.csv"}, "left").write(
        Path("tasks/leaky.yaml")
    )
    task = Task.read(Path("tasks/leaky.yaml"))
    said = dry_run(task, to_canonical_rows(task.source.build().read(), task.columns))
    assert "error: column 'told' alone predicts the answer (AUROC 1.000)" in said
    assert "repeat an earlier row" in said


@pytest.mark.parametrize(
    ("file", "more", "expected"),
    [
        ("adult/adult.data", {"label": "Y"}, {"label": "Y", "positive": ">50K"}),
        (
            "heart_cleveland/processed.cleveland.data",
            {"label": "Target", "positive": "1,2,3,4"},
            {"label": "Target", "positive": [1, 2, 3, 4]},
        ),
        (
            "bank_churn/Churn_Modelling_m.csv",
            {"label": "Exited"},
            {"label": "Exited", "positive": 1, "ignore": ["RowNumber", "CustomerId"]},
        ),
        (
            "breast_cancer_ljubljana/breast-cancer.csv",
            {"label": "last"},
            {"label": "column_10", "positive": "recurrence-events"},
        ),
        ("sms_spam/spam.csv", {"label": "v1"}, {"label": "v1", "positive": "spam", "text": "v2"}),
        (
            "babe/final_labels_SG2.csv",
            {"label": "label_bias"},
            {"label": "label_bias", "positive": "Biased", "negative": "Non-biased", "text": "text"},
        ),
    ],
)
def test_real_tables_need_no_yaml(
    shared_data: Path, tmp_path: Path, monkeypatch: Any, file: str, more: Any, expected: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    path, _ = draft_from_cli(flags(str(shared_data / file), **more))
    task = Task.read(path)
    assert task.columns.model_dump(exclude_defaults=True) == expected
    assert to_canonical_rows(task.source.build().read(), task.columns)["label"].nunique() == 2


def test_the_documentation_shows_every_section_and_check() -> None:
    page = (ROOT / "docs" / "reference" / "tasks.md").read_text(encoding="utf-8")
    for section in (Task, Columns, Checks, Split, Calibration):
        for key in set(section.model_fields) - {"name"}:
            assert re.search(rf"[`{{ \n]{key}[`:]", page), (
                f"docs/reference/tasks.md does not speak of {section.__name__}.{key}"
            )
