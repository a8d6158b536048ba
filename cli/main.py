"""Entry point: parse the arguments, run the command, turn errors into exit codes."""

import gc
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from cli.arguments import parse_arguments
from cli.periodic import signals_as_interrupt
from cli.pipeline import init_zenml
from credence.core.errors import user_message
from credence.core.log import FORMAT_VARIABLE, is_json, log, log_error
from stacks.names import available_stacks

QUIET_ENVIRONMENT = {
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_LOGGING_VERBOSITY": "CRITICAL",
    "ZENML_ENABLE_RICH_TRACEBACK": "false",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "OMP_NUM_THREADS": "1",
}
GC_THRESHOLD = 50_000  # new objects until the next collection; Python's default costs 25 % of the import time


def run(args: Namespace) -> None:
    """Run the requested tool or pipeline."""
    if args.command == "completion":
        from cli.completion import script

        return print(script(args.shell))
    if args.command == "schema":
        from cli.schema import SCHEMA_FILE, write_schema

        return write_schema(Path(args.out or SCHEMA_FILE), getattr(args, "check", False))
    run_on_task(args)


def run_on_task(args: Namespace) -> None:
    """Read the task, then print its plan or run the requested pipeline."""
    if args.pipeline == "promotion":  # a rollback must be quick and must not depend on the task file
        from cli.operations import run_promotion

        return run_promotion(args.task.stem, args)
    from cli.operations import has_scheduler, run_batch, run_every, run_generation, run_monitoring
    from cli.training import draft_from_table, run_deployment, train_and_deploy
    from credence.task import Task

    drafting = args.pipeline == "training" and args.data
    task = Task.read(draft_from_table(args) if drafting else args.task, args.overrides)
    if args.pipeline == "generation":
        return run_generation(task, args)
    if args.dry_run:
        from credence import dry_run

        return print(dry_run.dry_run(task, dry_run.read_rows(task, args.sample)))
    if args.every is not None and not has_scheduler(args):
        return run_every(task, args)
    if args.pipeline == "training" and args.stack == "local" and task.source.kind != "artifact":
        from credence import dry_run

        dry_run.preflight_checks(task, args.sample)
    init_zenml()
    {"training": train_and_deploy, "deployment": run_deployment, "inference": run_batch, "monitoring": run_monitoring}[
        args.pipeline
    ](task, args)


def choose_log_format(argv: Sequence[str]) -> None:
    """Set the log format before anything is written, so that errors in the flags use it too."""
    words = [word for argument in argv for word in argument.split("=", 1)]
    given = dict(pairwise(words)).get("--log-format")
    if given in ("text", "json"):
        os.environ[FORMAT_VARIABLE] = given
    if is_json():
        os.environ.setdefault("TQDM_DISABLE", "1")  # bars are for a screen


def main(argv: list[str] | None = None) -> int:
    """Run the command. Exit code 0: done, 1: internal error, 2: the input cannot be used, 130: interrupted."""
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(GC_THRESHOLD)
    choose_log_format(sys.argv[1:] if argv is None else argv)
    try:
        with signals_as_interrupt():
            run(parse_arguments(argv, available_stacks()))
    except KeyboardInterrupt:
        log("stopped; the champion is what it was, and what is done is kept: the same command goes on from there.")
        return 130
    except Exception as error:
        sentence = user_message(error)
        if sentence is None and not is_json():
            raise
        log_error(sentence or f"{type(error).__name__}: {error}", None if sentence else error)
        return 2 if sentence else 1
    return 0


def run_and_exit() -> None:
    """Run `main` and end the process with its exit code."""
    code = main()
    gc.freeze()  # skip the final collection, which takes seconds with all that is imported
    sys.exit(code)
