"""Commands and flags of the command line, declared as data and made into argparse parsers."""

import argparse
import sys
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from credence.core.errors import InputError

PIPELINES = ("generation", "training", "deployment", "inference", "monitoring", "promotion")
PIPELINE_OF_COMMAND = {
    "train": "training",
    "deploy": "deployment",
    "predict": "inference",
    "monitor": "monitoring",
    "promote": "promotion",
    "generate": "generation",
}
ABOUT_COMMAND = {command: f"the same as --pipeline {pipeline}" for command, pipeline in PIPELINE_OF_COMMAND.items()}
ABOUT_COMMAND["schema"] = "write tasks/schema.json, by which editors check and complete a task"
ABOUT_COMMAND["completion"] = "print the script by which a shell completes commands and flags"
TOOLS = ("schema", "completion")
ALL_COMMANDS = tuple(ABOUT_COMMAND)
SHELLS = ("bash", "zsh", "tcsh", "fish")
ABOUT = """From rows to a gated, calibrated, served answer.

  {run}                                       the bundled example, tasks/breast_cancer.yaml
  {run} --data churn.csv --label churn        your own table, without writing any YAML
  {run} train --task NAME --dry-run           what a task would do
  {run} generate --task reasoning             rows that language models write, for training
  {run} deploy --task NAME                    package, start and try the champion
  {run} predict --task NAME --data new.csv --out answers.parquet
  {run} monitor --task NAME --interval 1h
  {run} promote --task NAME --to previous --reason "…" """

FLAGS_OF_PIPELINE: dict[str, tuple[str, ...]] = {
    "training": ("sample", "dry_run", "feedback", "no_deploy", "label", "positive", "text", "id", "group", "data"),
    "deployment": (),
    "inference": ("data", "id", "out", "processes", "chunk", "shards"),
    "monitoring": ("since", "until", "every"),
    "promotion": ("to", "approve", "challenger", "share", "reason", "history"),
    "generation": ("dry_run", "budget", "resume"),
}
# Names that say less than they should; both are accepted, and help shows the clearer one first.
CLEARER = {"feedback": "with-feedback", "id": "id-column", "share": "traffic-share", "every": "interval"}
CLEARER |= {"chunk": "chunk-rows"}


@dataclass(frozen=True)
class Flag:
    """A flag: its name without dashes, its help, and what argparse is told besides."""

    name: str
    help: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dest(self) -> str:
        """The attribute of the parsed arguments."""
        return self.name.replace("-", "_")

    def add_to(self, place: Any, **changes: Any) -> None:
        """Declare the flag under its clearer name, if it has one, and under its own."""
        names = [f"--{n}" for n in (CLEARER.get(self.name), self.name) if n]
        place.add_argument(*names, **{"dest": self.dest, "help": self.help, **self.options, **changes})


def _flag(name: str, about: str, **options: Any) -> Flag:
    return Flag(name, about, options)


COMMON = (
    _flag("task", "a file of tasks/ without .yaml, or the path of one; default breast_cancer"),
    _flag("stack", "a file of stacks/ without .yaml, or an existing ZenML stack; default local"),
    _flag("no-cache", "run every step again", action="store_true"),
    _flag("log-format", "how progress is written to standard error; default text", choices=("text", "json")),
)
GROUPS = {
    "generation (with --dry-run: rows, calls, tokens, cost and time)": (
        _flag("budget", "spend at most this on the data set", type=float, metavar="DOLLARS"),
        _flag("resume", "go on where a run stopped (default)", action=argparse.BooleanOptionalAction),
    ),
    "training": (
        _flag("sample", "learn from N rows only, always the same ones", type=int, metavar="N"),
        _flag("dry-run", "say what would be done, and stop", action="store_true"),
        _flag("feedback", "learn also from logged rows whose answer came back", action="store_true"),
        _flag("no-deploy", "do not package and try a newly promoted champion", action="store_true"),
    ),
    "a table of your own, without YAML (writes tasks/<name>.yaml)": (
        _flag("data", "csv, tsv, jsonl or parquet (also .gz), or a folder of texts", metavar="FILE"),
        _flag("label", "the column that holds the answer", metavar="COLUMN"),
        _flag("positive", "the value (or values, with commas) that means yes", metavar="VALUE"),
        _flag("text", "the column to read, where the input is text", metavar="COLUMN"),
        _flag("id", "the column that names a row", metavar="COLUMN"),
        _flag("group", "the column to report by, and to pool by", metavar="COLUMN"),
    ),
    "inference (with --data and --id-column: the rows, and what names them)": (
        _flag("out", ".parquet, .csv or .jsonl, or a database's URL with #table", metavar="PLACE"),
        _flag("processes", "how many score at once; default one per core, up to 4", type=int, metavar="N"),
        _flag("chunk", "how many rows are held at once; default 10000", type=int, metavar="ROWS"),
        _flag("shards", "as many steps, for an orchestrator with many nodes", type=int, metavar="N"),
    ),
    "monitoring": (
        _flag("since", "start of the window (2024-01-31T12:00); default: the task's", metavar="TIME"),
        _flag("until", "end of the window; default now", metavar="TIME"),
        _flag("every", "run again and again, such as 10m, 1h or 1d", metavar="SPAN"),
    ),
    "promotion": (
        _flag("to", "the version's number, or previous: what the champion replaced", metavar="VERSION"),
        _flag("approve", "promote a version that the gate put on hold", action="store_true"),
        _flag("challenger", "try a version on real traffic; none ends it", metavar="VERSION"),
        _flag("share", "give the challenger's answer to this share of requests", type=float, metavar="P"),
        _flag("reason", "kept in the audit table for good", metavar="WHY"),
        _flag("history", "print the audit table", action="store_true"),
    ),
}


def program() -> str:
    """What the user typed to start the command: `credence`, or `python run.py`."""
    return "credence" if Path(sys.argv[0]).stem == "credence" else "python run.py"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].lower()}{message[1:]}. See {program()} --help.")


def parser(words: Container[str] = ALL_COMMANDS, name: str | None = None) -> argparse.ArgumentParser:
    """Every command and every flag, for a program called `name`.

    Only commands among `words` get their own flags: declaring them all takes 10 ms, and a command line has one.
    """
    name = name or program().removeprefix("python ")
    looks: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    about = ABOUT.format(run=program())
    p = _Parser(name, usage="%(prog)s [COMMAND] [FLAGS]", description=about, **looks)
    _add_commands(p, name, words)
    p.add_argument("--pipeline", help=f"one of {', '.join(PIPELINES)}; default training")
    p.add_argument("--set", **_overrides("set"))
    for flag in COMMON:
        flag.add_to(p)
    for title, flags in GROUPS.items():
        group = p.add_argument_group(title)
        for flag in flags:
            flag.add_to(group)
    return p


def _overrides(dest: str) -> dict[str, Any]:
    about = "lay a value over the task"
    return {"dest": dest, "action": "append", "default": [], "metavar": "KEY.PATH=VALUE", "help": about}


def _add_commands(p: argparse.ArgumentParser, name: str, words: Container[str]) -> None:
    commands = p.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog=name)
    for command, about in ABOUT_COMMAND.items():
        # without defaults of its own, a command keeps the values of flags that stand before it
        own = commands.add_parser(command, help=about, argument_default=argparse.SUPPRESS, allow_abbrev=False)
        if command not in words:
            continue
        if command in PIPELINE_OF_COMMAND:
            _add_flags(own, FLAGS_OF_PIPELINE[PIPELINE_OF_COMMAND[command]])
        elif command == "schema":
            own.add_argument("--out", metavar="FILE", help="where to write it; default tasks/schema.json")
            own.add_argument("--check", action="store_true", help="write nothing; fail where the file is out of date")
        else:
            own.add_argument("shell", choices=SHELLS, help="the shell that reads the script")


def _add_flags(own: argparse.ArgumentParser, shown: tuple[str, ...]) -> None:
    """All flags, of which help shows those of the command: the others are refused with the pipeline they belong to."""
    own.add_argument("--set", **_overrides("set_behind"))
    for flag in COMMON:
        flag.add_to(own)
    for flag in (flag for flags in GROUPS.values() for flag in flags):
        flag.add_to(own, **({} if flag.dest in shown else {"help": argparse.SUPPRESS}))
