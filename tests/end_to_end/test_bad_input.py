"""What newcomers get wrong: exit code 2, one sentence, no traceback, nothing half-written."""

import os
from pathlib import Path

import pytest

import run

GOOD = "age,plan,churn\n" + "".join(
    f"{20 + i % 50},{'ab'[i % 2]},{'yes' if i % 3 == 0 else 'no'}\n" for i in range(120)
)
TASK = """question: Does the customer leave?
source: {{kind: csv, path: {path}}}
columns: {{label: churn, positive: yes}}
models: [{{kind: logistic}}]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(tmp_path / "zenml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one sentence that the command prints for a mistake."""
    code = run.main(list(argv))
    err = capsys.readouterr().err
    assert code == 2, err
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    return lines[0]


def task(place: Path, content: str | bytes = GOOD, extra: str = "", **names: str) -> str:
    (place / "table.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    text = TASK.format(path=place / "table.csv") + extra
    for old, new in names.items():
        text = text.replace(old, new)
    (place / "mine.yaml").write_text(text)
    return str(place / "mine.yaml")


def one_value(value: str) -> str:
    return "age,churn\n" + "".join(f"{i},{value}\n" for i in range(60))


def three_values() -> str:
    return "age,churn\n" + "".join(f"{i},{'abc'[i % 3]}\n" for i in range(60))


DATA: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["table.csv", "empty"]),
    "header only": ("age,plan,churn\n", ["no rows"]),
    "binary": (bytes(range(256)) * 40, ["table.csv"]),
    "ragged": ("a,b,churn\n1,2,yes\n1,2,3,4,no\n" + "1,2,no\n" * 20, ["table.csv", "3"]),
    "duplicate column": ("age,age,churn\n" + "1,2,yes\n2,1,no\n" * 40, ["'age'"]),
    "label with a hole": (GOOD + "30,a,\n", ["'churn'", "empty in 1 of 121 rows", "row 121", "unlabelled=drop"]),
    "infinite": (GOOD + "inf,a,no\n", ["'age'", "row 121", "infinite"]),
    "three rows": ("age,churn\n1,yes\n2,no\n3,no\n", ["part", "of 3 rows"]),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_be_used(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, words = DATA[case]
    sentence = told(capsys, "--task", task(place, content))
    for word in words:
        assert word in sentence, sentence
    assert not (place / "zenml").exists(), "nothing may be started for data that cannot be used"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind: logistic": "kind: logistik"}, ["mine.yaml", "models.0.kind", "Did you mean 'logistic'?"]),
        ({"kind: logistic": "kind: logistic, folds: many"}, ["mine.yaml", "folds", "'many'"]),
        ({"kind: logistic": "kind: logistic, fold: 3"}, ["mine.yaml", "fold", "Did you mean 'folds'?"]),
        ({"kind: csv": "kind: cvs"}, ["source.kind", "Did you mean 'csv'?"]),
        ({"question:": "qestion:"}, ["qestion", "Did you mean 'question'?"]),
        ({"label: churn": "label: chrun"}, ["'chrun'", "Did you mean 'churn'?"]),
        ({"positive: yes": "positive: maybe"}, ["'maybe'", "'no'", "'yes'"]),
        ({"columns:": "columns"}, ["mine.yaml", "not YAML"]),
        ({"table.csv": "tabel.csv"}, ["tabel.csv", "table.csv'?"]),
        ({"/table.csv": ""}, ["folder"]),
        ({"models: [{kind: logistic}]": "models: []"}, ["models"]),
        ({"models: [{kind: logistic}]": "models: [{kind: tfidf}]"}, ["'tfidf'", "text"]),
    ],
    ids=lambda v: next(iter(v.values())) if isinstance(v, dict) else None,
)
def test_tasks_that_cannot_be_used(
    change: dict[str, str], words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = told(capsys, "--task", task(place, **change))
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("gate.minimun=0.9", ["gate.minimun", "Did you mean 'minimum'?"]),
        ("gate.metric=acuracy", ["gate.metric", "'acuracy'"]),
        ("gate.margin=-1", ["gate.margin"]),
        ("models.3.kind=logistic", ["models.3.kind", "from 0 to 0"]),
        ("question.deep.key=1", ["question.deep.key"]),
        ("split.test=0.9", ["split.test", "nothing to train on"]),
        ("split.key=clinic", ["'clinic'"]),
        ("split.column=plan", ["'plan'", "expected train, test"]),
    ],
)
def test_overrides_that_cannot_be_used(
    override: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = told(capsys, "--task", task(place), "--set", override)
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize(
    ("content", "argv", "words"),
    [
        (one_value("yes"), [], ["'churn'"]),
        (three_values(), [], ["'a'", "'b'", "'c'", "--positive"]),
        (GOOD, ["--positive", "maybe"], ["maybe"]),
        (GOOD, ["--text", "palns"], ["palns"]),
        (GOOD, ["--id", "nr"], ["nr"]),
        (GOOD, ["--group", "plam"], ["Did you mean 'plan'?"]),
    ],
)
def test_a_table_on_the_command_line(
    content: str, argv: list[str], words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "table.csv").write_text(content)
    sentence = told(capsys, "--data", "table.csv", "--label", "churn", *argv)
    for word in words:
        assert word in sentence, sentence
    assert not (place / "tasks").exists(), "no task may be written for a table that cannot be used"


def test_a_label_that_is_not_there(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "table.csv").write_text(GOOD)
    assert "Did you mean 'churn'?" in told(capsys, "--data", "table.csv", "--label", "chrn")


def test_a_kubernetes_stack_with_placeholders(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = told(capsys, "--task", task(place), "--stack", "kubernetes")
    assert "stacks/kubernetes.yaml" in sentence and "kubernetes_context" in sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = task(place)
    (place / "zenml").mkdir()
    (place / "zenml").chmod(0o500)
    assert "permitted" in told(capsys, "--task", path)


def test_a_row_of_a_million_characters_is_no_mistake(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 200_000
    content = "text,churn\n" + "".join(f"good {i},yes\nbad {i},no\n" for i in range(60)) + f"{long},no\n"
    path = task(place, content, **{"positive: yes": "positive: yes, text: text", "kind: logistic": "kind: tfidf"})
    assert run.main(["--task", path, "--dry-run"]) == 0
    assert "121" in capsys.readouterr().out
