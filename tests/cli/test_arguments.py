"""The command line: what it takes, and one sentence for what it cannot take."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.arguments import parse_arguments
from credence.core.errors import InputError

ROOT = Path(__file__).parents[2]
STACKS = ["default", "kubernetes", "local"]


def test_without_flags_it_trains_the_bundled_example() -> None:
    args = parse_arguments([], STACKS)
    assert (args.pipeline, args.task.name, args.stack) == ("training", "breast_cancer.yaml", "local")


def test_set_reads_yaml_values_and_keeps_yes_a_word() -> None:
    args = parse_arguments(
        ["--set", "gate.margin=0.02", "--set", "columns.positive=yes", "--set", "models=[{kind: logistic}]"], STACKS
    )
    assert args.overrides == {"gate.margin": 0.02, "columns.positive": "yes", "models": [{"kind": "logistic"}]}


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--pipeline", "trainning"], "no such pipeline. Did you mean 'training'?"),
        (["--task", "brest_cancer"], "there is no tasks/brest_cancer.yaml. Did you mean 'breast_cancer'?"),
        (["--task", "nowhere/x.yaml"], "There is no folder nowhere either."),
        (["--stack", "kuberentes"], "no such stack. Did you mean 'kubernetes'?"),
        (["--sample", "0"], "expected a number of rows, 1 or more."),
        (["--sample", "many"], "invalid int value: 'many'. See python run.py --help."),
        (["--set", "gate.minimum"], "expected KEY.PATH=VALUE"),
        (["--set", "gate.minimum={"], "is no YAML value"),
        (["--label", "churn"], "describes the table of --data FILE"),
        (["--data", "pyproject.toml"], "needs --label COLUMN"),
        (["--pipeline", "promotion", "--to", "3"], '--pipeline promotion needs --reason "why"'),
        (["--pipeline", "promotion", "--reason", "x"], "needs --to VERSION, --to previous, --approve"),
        (["--pipeline", "promotion", "--to", "prevoius", "--reason", "x"], "expected the number of a version, or prev"),
        (["--pipeline", "promotion", "--to", "3", "--share", "0.1", "--reason", "x"], "expected --challenger VERSION"),
        (["--pipeline", "promotion", "--challenger", "3", "--share", "1.5", "--reason", "x"], "between 0 and 1"),
        (["--to", "3"], "--to belongs to --pipeline promotion, not to training."),
        (["--pipeline", "monitoring", "--sample", "5"], "--sample belongs to --pipeline training, not to monitoring."),
        (["--pipeline", "monitoring", "--every", "often"], "'often' is not a duration; expected one such as 90s"),
        (["--pipeline", "inference", "--data", "pyproject.toml"], "needs --out PLACE, such as answers.parquet."),
        (["--pipeline", "inference", "--processes", "0"], "expected a number of processes, 1 or more."),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_mistakes_are_told_in_a_sentence(argv: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=r"\w") as mistake:
        parse_arguments(argv, STACKS)
    assert sentence in str(mistake.value)


def test_an_interval_is_read_and_a_history_needs_no_reason() -> None:
    assert parse_arguments(["--pipeline", "monitoring", "--every", "1h30m"], STACKS).every == 5400
    assert parse_arguments(["--pipeline", "promotion", "--history"], STACKS).history


def test_a_table_to_score_is_no_table_to_learn_from(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    args = parse_arguments(["--pipeline", "inference", "--data", str(tmp_path / "new.csv"), "--out", "a.csv"], STACKS)
    assert args.task.name == "breast_cancer.yaml"


def test_a_missing_file_names_its_nearest_sibling(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"Did you mean 'churn\.csv'"):
        parse_arguments(["--data", str(tmp_path / "chrun.csv"), "--label", "b"], STACKS)


@pytest.mark.parametrize("argv", [["--help"], ["--task", "nope"], ["--stack", "nope"], ["--set", "x"], ["--nope"]])
def test_answers_come_before_anything_heavy_is_imported(argv: list[str]) -> None:
    """A fresh interpreter runs the command and reports which heavy packages it has loaded."""
    code = (
        "import sys, run\n"
        "try:\n    code = run.main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    code = stop.code\n"
        "heavy = {'zenml', 'torch', 'pandas', 'sklearn', 'mlflow', 'bentoml'} & set(sys.modules)\n"
        "print('LOADED', sorted(heavy))\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "LOADED []" in done.stdout, done.stdout + done.stderr
    assert done.returncode == (0 if argv == ["--help"] else 2)
    assert "Traceback" not in done.stderr
