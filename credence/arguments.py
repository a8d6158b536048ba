"""The flags of run.py, and all that can be told of them before anything heavy is imported."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

import yaml

from credence.errors import BadInput, did_you_mean
from credence.words import read_words

PIPELINES = ("training", "deployment")
TASKS = Path(__file__).parent.parent / "tasks"
ABOUT = """From rows to a gated, calibrated, served answer.

  python run.py                                              the bundled example, tasks/breast_cancer.yaml
  python run.py --data churn.csv --label churn               your own table, without writing any YAML
  python run.py --pipeline training --task NAME --dry-run    what a task would do
  python run.py --pipeline deployment --task NAME            package, start and try the champion"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].lower()}{message[1:]}. See python run.py --help.")


def parser() -> argparse.ArgumentParser:
    """Every flag that the command takes."""
    p = _Parser("run.py", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    p.add_argument("--pipeline", default="training", help=f"one of {', '.join(PIPELINES)}; default training")
    p.add_argument("--task", help="a file of tasks/ without .yaml, or the path of one; default breast_cancer")
    p.add_argument("--stack", default="local", help="a file of stacks/ without .yaml, or an existing ZenML stack")
    p.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="lay a value over the task")
    p.add_argument("--sample", type=int, metavar="N", help="learn from N rows only, always the same ones")
    p.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    p.add_argument("--no-cache", action="store_true", help="run every step again")
    p.add_argument("--no-deploy", action="store_true", help="do not package and try a newly promoted champion")
    own = p.add_argument_group("a table of your own, without YAML (writes tasks/<name>.yaml)")
    own.add_argument("--data", metavar="FILE", help="csv, tsv, jsonl or parquet (also .gz), or a folder of texts")
    own.add_argument("--label", metavar="COLUMN", help="the column that holds the answer")
    own.add_argument("--positive", metavar="VALUE", help="the value (or values, with commas) that means yes")
    own.add_argument("--text", metavar="COLUMN", help="the column to read, where the input is text")
    own.add_argument("--id", metavar="COLUMN", help="the column that names a row")
    own.add_argument("--group", metavar="COLUMN", help="the column to report by, and to pool by")
    return p


def arguments(argv: list[str] | None, stacks: list[str] | None) -> argparse.Namespace:
    """The parsed flags: `task` as a path unless --data is given, `overrides` as a dictionary. Raises BadInput.

    `stacks` are the names that --stack may take; None where they are not known yet.
    """
    args = parser().parse_args(argv)
    if args.pipeline not in PIPELINES:
        raise BadInput(f"--pipeline {args.pipeline}: no such pipeline. {did_you_mean(args.pipeline, PIPELINES)}")
    if args.sample is not None and args.sample < 1:
        raise BadInput(f"--sample {args.sample}: expected a number of rows, 1 or more.")
    if stacks is not None and args.stack not in stacks:
        raise BadInput(f"--stack {args.stack}: no such stack. {did_you_mean(args.stack, stacks)}")
    _refuse_half_a_table(args)
    args.overrides = dict(_override(text) for text in args.set)
    if not args.data:
        args.task = task_file(args.task or "breast_cancer")
    return args


def task_file(name: str) -> Path:
    """The YAML file of a task, given by name or by path."""
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise BadInput(f"--task {name}: no such file. {_siblings(Path(name))}")
        return Path(name)
    for folder in (Path("tasks"), TASKS):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = {f.stem for folder in (Path("tasks"), TASKS) for f in folder.glob("*.yaml")}
    raise BadInput(f"--task {name}: there is no tasks/{name}.yaml. {did_you_mean(name, known)}")


def _refuse_half_a_table(args: argparse.Namespace) -> None:
    if args.data and not args.label:
        raise BadInput(f"--data {args.data} needs --label COLUMN, the column that holds the answer.")
    if args.data and not Path(args.data).exists():
        raise BadInput(f"--data {args.data}: no such file. {_siblings(Path(args.data))}")
    for name in ("label", "positive", "text", "id", "group"):
        if getattr(args, name) and not args.data:
            raise BadInput(f"--{name} describes the table of --data FILE; a task says it in its YAML, under columns.")


def _siblings(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    names = sorted(f.name for f in path.parent.iterdir())
    return did_you_mean(path.name, names) if 0 < len(names) <= 20 else "Give the path of an existing file."


def _override(text: str) -> tuple[str, Any]:
    key, given, value = text.partition("=")
    if not given or not key.strip("."):
        raise BadInput(f"--set {text}: expected KEY.PATH=VALUE, such as gate.minimum=0.95.")
    try:
        return key, read_words(value)
    except yaml.YAMLError:
        raise BadInput(f"--set {text}: {value!r} is no YAML value; quote it, such as '{key}=\"…\"'.") from None
