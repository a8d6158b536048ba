"""The flags of run.py, and all that can be told of them before anything heavy is imported."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

import yaml

from credence.core.errors import InputError, did_you_mean
from credence.core.paths import bundled_folder
from credence.core.time_format import parse_duration
from credence.core.yaml_loader import parse_yaml

PIPELINES = ("generation", "training", "deployment", "inference", "monitoring", "promotion")
TASKS_FOLDER = bundled_folder("tasks")
ABOUT = """From rows to a gated, calibrated, served answer.

  python run.py                                              the bundled example, tasks/breast_cancer.yaml
  python run.py --data churn.csv --label churn               your own table, without writing any YAML
  python run.py --pipeline training --task NAME --dry-run    what a task would do
  python run.py --pipeline generation --task reasoning       rows that language models write, for training
  python run.py --pipeline deployment --task NAME            package, start and try the champion
  python run.py --pipeline inference --task NAME --data new.csv --out answers.parquet
  python run.py --pipeline monitoring --task NAME --every 1h
  python run.py --pipeline promotion --task NAME --to previous --reason "…" """

FLAGS_OF_PIPELINE = {
    "training": ("sample", "dry_run", "feedback", "no_deploy", "label", "positive", "text", "id", "group", "data"),
    "inference": ("data", "id", "out", "processes", "chunk", "shards"),
    "monitoring": ("since", "until", "every"),
    "promotion": ("to", "approve", "challenger", "share", "reason", "history"),
    "generation": ("dry_run", "budget", "resume"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].lower()}{message[1:]}. See python run.py --help.")


def parser() -> argparse.ArgumentParser:
    """Every flag that the command takes."""
    p = _Parser("run.py", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    p.add_argument("--pipeline", default="training", help=f"one of {', '.join(PIPELINES)}; default training")
    p.add_argument("--task", help="a file of tasks/ without .yaml, or the path of one; default breast_cancer")
    p.add_argument("--stack", default="local", help="a file of stacks/ without .yaml, or an existing ZenML stack")
    p.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="lay a value over the task")
    p.add_argument("--no-cache", action="store_true", help="run every step again")
    for describe in (_of_generation, _of_training, _of_tables, _of_inference, _of_monitoring, _of_promotion):
        describe(p)
    return p


def _of_generation(p: argparse.ArgumentParser) -> None:
    own = p.add_argument_group("generation (with --dry-run: rows, calls, tokens, cost and time)")
    own.add_argument("--budget", type=float, metavar="DOLLARS", help="spend at most this on the data set")
    own.add_argument("--resume", action=argparse.BooleanOptionalAction, help="go on where a run stopped (default)")


def _of_training(p: argparse.ArgumentParser) -> None:
    own = p.add_argument_group("training")
    own.add_argument("--sample", type=int, metavar="N", help="learn from N rows only, always the same ones")
    own.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    own.add_argument("--feedback", action="store_true", help="learn also from logged rows whose answer came back")
    own.add_argument("--no-deploy", action="store_true", help="do not package and try a newly promoted champion")


def _of_tables(p: argparse.ArgumentParser) -> None:
    own = p.add_argument_group("a table of your own, without YAML (writes tasks/<name>.yaml)")
    own.add_argument("--data", metavar="FILE", help="csv, tsv, jsonl or parquet (also .gz), or a folder of texts")
    own.add_argument("--label", metavar="COLUMN", help="the column that holds the answer")
    own.add_argument("--positive", metavar="VALUE", help="the value (or values, with commas) that means yes")
    own.add_argument("--text", metavar="COLUMN", help="the column to read, where the input is text")
    own.add_argument("--id", metavar="COLUMN", help="the column that names a row")
    own.add_argument("--group", metavar="COLUMN", help="the column to report by, and to pool by")


def _of_inference(p: argparse.ArgumentParser) -> None:
    own = p.add_argument_group("inference (with --data and --id: the rows, and what names them)")
    own.add_argument("--out", metavar="PLACE", help=".parquet, .csv or .jsonl, or a database's URL with #table")
    own.add_argument("--processes", type=int, metavar="N", help="how many score at once; default one per core, up to 4")
    own.add_argument("--chunk", type=int, metavar="ROWS", help="how many rows are held at once; default 10000")
    own.add_argument("--shards", type=int, metavar="N", help="as many steps, for an orchestrator with many nodes")


def _of_monitoring(p: argparse.ArgumentParser) -> None:
    own = p.add_argument_group("monitoring")
    own.add_argument(
        "--since", metavar="TIME", help="first moment of the window (2024-01-31T12:00); default: the task's"
    )
    own.add_argument("--until", metavar="TIME", help="last moment of the window; default now")
    own.add_argument("--every", metavar="SPAN", help="run again and again, such as 10m, 1h or 1d")


def _of_promotion(p: argparse.ArgumentParser) -> None:
    own = p.add_argument_group("promotion")
    own.add_argument("--to", metavar="VERSION", help="the version's number, or previous: what the champion replaced")
    own.add_argument("--approve", action="store_true", help="promote a version that the gate put on hold")
    own.add_argument("--challenger", metavar="VERSION", help="try a version on real traffic; none ends it")
    own.add_argument("--share", type=float, metavar="P", help="give the challenger's answer to this share of requests")
    own.add_argument("--reason", metavar="WHY", help="kept in the audit table for good")
    own.add_argument("--history", action="store_true", help="print the audit table")


def parse_arguments(argv: list[str] | None, stacks: list[str] | None) -> argparse.Namespace:
    """The parsed flags: `task` as a path unless a table is drafted, `overrides` as a dictionary. Raises BadInput.

    `stacks` are the names that --stack may take; None where they are not known yet.
    """
    args = parser().parse_args(argv)
    if args.pipeline not in PIPELINES:
        raise InputError(f"--pipeline {args.pipeline}: no such pipeline. {did_you_mean(args.pipeline, PIPELINES)}")
    if stacks is not None and args.stack not in stacks:
        raise InputError(f"--stack {args.stack}: no such stack. {did_you_mean(args.stack, stacks)}")
    _refuse_flags_of_others(args)
    for name in ("sample", "processes", "chunk", "shards"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise InputError(f"--{name} {getattr(args, name)}: expected a number of {_counted(name)}, 1 or more.")
    if check := CHECKS.get(args.pipeline):
        check(args)
    args.every = None if args.every is None else parse_duration(args.every)
    args.overrides = dict(_override(text) for text in args.set)
    if args.budget is not None:
        args.overrides["generation.budget_usd"] = args.budget
    if args.pipeline != "training" or not args.data:
        args.task = task_file(args.task or "breast_cancer")
    return args


def task_file(name: str) -> Path:
    """The YAML file of a task, given by name or by path."""
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise InputError(f"--task {name}: no such file. {_siblings(Path(name))}")
        return Path(name)
    for folder in (Path("tasks"), TASKS_FOLDER):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = {f.stem for folder in (Path("tasks"), TASKS_FOLDER) for f in folder.glob("*.yaml")}
    raise InputError(f"--task {name}: there is no tasks/{name}.yaml. {did_you_mean(name, known)}")


def _refuse_flags_of_others(args: argparse.Namespace) -> None:
    for owner, flags in FLAGS_OF_PIPELINE.items():
        for flag in flags:
            given = getattr(args, flag) != parser().get_default(flag)
            if given and args.pipeline != owner and flag not in FLAGS_OF_PIPELINE.get(args.pipeline, ()):
                raise InputError(f"--{flag.replace('_', '-')} belongs to --pipeline {owner}, not to {args.pipeline}.")


def _counted(name: str) -> str:
    return name if name in ("processes", "shards") else "rows"


def _check_table(args: argparse.Namespace) -> None:
    if args.data and not args.label:
        raise InputError(f"--data {args.data} needs --label COLUMN, the column that holds the answer.")
    _refuse_absent(args)
    for name in ("label", "positive", "text", "id", "group"):
        if getattr(args, name) and not args.data:
            raise InputError(f"--{name} describes the table of --data FILE; a task says it in its YAML, under columns.")


def _check_inference(args: argparse.Namespace) -> None:
    if args.data and not args.out:
        raise InputError(f"--data {args.data} needs --out PLACE, such as answers.parquet.")
    _refuse_absent(args)


def _refuse_absent(args: argparse.Namespace) -> None:
    if args.data and not Path(args.data).exists():
        raise InputError(f"--data {args.data}: no such file. {_siblings(Path(args.data))}")


def _check_promotion(args: argparse.Namespace) -> None:
    if args.history:
        return
    if not (args.to or args.approve or args.challenger):
        raise InputError(
            "--pipeline promotion needs --to VERSION, --to previous, --approve, --challenger or --history."
        )
    if not (args.reason or "").strip():
        raise InputError('--pipeline promotion needs --reason "why", which the audit table keeps.')
    for flag, words in (("to", ("previous",)), ("challenger", ("none",))):
        said = getattr(args, flag)
        if said and not said.isdigit() and said not in words:
            raise InputError(f"--{flag} {said}: expected the number of a version, or {words[0]}.")
    if args.share is not None and not (args.challenger and 0 < args.share < 1):
        raise InputError(f"--share {args.share:g}: expected --challenger VERSION with a share between 0 and 1.")


CHECKS = {"training": _check_table, "inference": _check_inference, "promotion": _check_promotion}


def _siblings(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    names = sorted(f.name for f in path.parent.iterdir())
    return did_you_mean(path.name, names) if 0 < len(names) <= 20 else "Give the path of an existing file."


def _override(text: str) -> tuple[str, Any]:
    key, given, value = text.partition("=")
    if not given or not key.strip("."):
        raise InputError(f"--set {text}: expected KEY.PATH=VALUE, such as gate.minimum=0.95.")
    try:
        return key, parse_yaml(value)
    except yaml.YAMLError:
        raise InputError(f"--set {text}: {value!r} is no YAML value; quote it, such as '{key}=\"…\"'.") from None
