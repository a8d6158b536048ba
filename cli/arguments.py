"""Parse the command line and check it, before anything heavy is imported."""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from cli.flags import ALL_COMMANDS, CLEARER, FLAGS_OF_PIPELINE, PIPELINE_OF_COMMAND, PIPELINES, TOOLS, parser
from credence.core.errors import InputError, did_you_mean
from credence.core.paths import bundled_folder
from credence.core.time_format import parse_duration
from credence.core.yaml_loader import parse_yaml

TASKS_FOLDER = bundled_folder("tasks")
Flags = dict[str, str]  # attribute -> flag as it was typed


def parse_arguments(argv: list[str] | None, stacks: list[str] | None) -> argparse.Namespace:
    """Parse and check the flags; `task` becomes a path (unless --data is given), `overrides` a dictionary.

    `stacks` are the names that --stack may take; None where they are not known yet.
    """
    argv = sys.argv[1:] if argv is None else argv
    _refuse_unknown_command(argv)
    p = parser(argv)
    args = p.parse_args(argv)
    if args.command in TOOLS:
        return args
    args.pipeline, args.stack = _pipeline(args), args.stack or "local"
    args.set = [*args.set, *getattr(args, "set_behind", [])]
    if stacks is not None and args.stack not in stacks:
        raise InputError(f"--stack {args.stack}: no such stack. {did_you_mean(args.stack, stacks)}")
    flags = {flag: _as_typed(flag, argv) for flag in vars(args)}
    _refuse_flags_of_others(args, p, flags)
    for name in ("sample", "processes", "chunk", "shards"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise InputError(f"{flags[name]} {getattr(args, name)}: expected a number of {_counted(name)}, 1 or more.")
    if check := CHECKS.get(args.pipeline):
        check(args, flags)
    args.every = None if args.every is None else parse_duration(args.every)
    args.overrides = dict(_override(text) for text in args.set)
    if args.budget is not None:
        args.overrides["generation.budget_usd"] = args.budget
    if args.pipeline != "training" or not args.data:
        args.task = task_file(args.task or "breast_cancer")
    return args


def _refuse_unknown_command(argv: list[str]) -> None:
    if argv and not argv[0].startswith("-") and argv[0] not in ALL_COMMANDS:
        raise InputError(f"{argv[0]}: no such command. {did_you_mean(argv[0], ALL_COMMANDS)}")


def _pipeline(args: argparse.Namespace) -> str:
    """Return the pipeline named by the command or by --pipeline."""
    named: str = args.pipeline or PIPELINE_OF_COMMAND.get(args.command, "training")
    if named not in PIPELINES:
        raise InputError(f"--pipeline {named}: no such pipeline. {did_you_mean(named, PIPELINES)}")
    if args.command and named != PIPELINE_OF_COMMAND[args.command]:
        raise InputError(f"--pipeline {named} and the command {args.command}: give one of them.")
    return named


def _as_typed(flag: str, argv: list[str]) -> str:
    """Return the name of a flag with an alias, as written on the command line."""
    clearer = f"--{CLEARER.get(flag, flag)}"
    typed = any(word == clearer or word.startswith(f"{clearer}=") for word in argv)
    return clearer if typed else f"--{flag.replace('_', '-')}"


def task_file(name: str) -> Path:
    """Find the YAML file of a task, given by name or by path.

    Raises:
        InputError: There is no such file; the message suggests the nearest name.
    """
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise InputError(f"--task {name}: no such file. {_siblings(Path(name))}")
        return Path(name)
    for folder in (Path("tasks"), TASKS_FOLDER):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = {f.stem for folder in (Path("tasks"), TASKS_FOLDER) for f in folder.glob("*.yaml")}
    raise InputError(f"--task {name}: there is no tasks/{name}.yaml. {did_you_mean(name, known)}")


def _refuse_flags_of_others(args: argparse.Namespace, p: argparse.ArgumentParser, flags: Flags) -> None:
    for owner, owned in FLAGS_OF_PIPELINE.items():
        for flag in owned:
            given = getattr(args, flag) != p.get_default(flag)
            if given and args.pipeline != owner and flag not in FLAGS_OF_PIPELINE[args.pipeline]:
                raise InputError(f"{flags[flag]} belongs to --pipeline {owner}, not to {args.pipeline}.")


def _counted(name: str) -> str:
    return name if name in ("processes", "shards") else "rows"


def _check_table(args: argparse.Namespace, flags: Flags) -> None:
    if args.data and not args.label:
        raise InputError(f"--data {args.data} needs --label COLUMN, the column that holds the answer.")
    _refuse_absent(args)
    for name in ("label", "positive", "text", "id", "group"):
        if getattr(args, name) and not args.data:
            raise InputError(
                f"{flags[name]} describes the table of --data FILE; a task says it in its YAML, under columns."
            )


def _check_inference(args: argparse.Namespace, flags: Flags) -> None:
    if args.data and not args.out:
        raise InputError(f"--data {args.data} needs --out PLACE, such as answers.parquet.")
    _refuse_absent(args)


def _refuse_absent(args: argparse.Namespace) -> None:
    if args.data and not Path(args.data).exists():
        raise InputError(f"--data {args.data}: no such file. {_siblings(Path(args.data))}")


def _check_promotion(args: argparse.Namespace, flags: Flags) -> None:
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
        raise InputError(
            f"{flags['share']} {args.share:g}: expected --challenger VERSION with a share between 0 and 1."
        )


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
