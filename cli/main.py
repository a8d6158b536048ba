"""The command: read the arguments, run what they ask for, turn failures into exit codes."""

import gc
import os
import sys
from argparse import Namespace

from cli.arguments import arguments
from cli.periodic import until_told
from cli.pipeline import say, start_zenml
from credence.core.errors import sentence_of
from stacks.names import offered

QUIET = {
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_LOGGING_VERBOSITY": "CRITICAL",
    "ZENML_ENABLE_RICH_TRACEBACK": "false",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "OMP_NUM_THREADS": "1",
}
SELDOM = 50_000  # new objects until the next look for garbage: imports make many and drop few, and looks cost a quarter


def run(args: Namespace) -> None:
    """Read the task, then plan it or run the pipeline that is asked for."""
    if args.pipeline == "promotion":  # the way back has no time to lose, and must not depend on what the file says now
        from cli.operations import promote

        return promote(args.task.stem, args)
    from cli.operations import again, on_a_schedule, score, watch, write
    from cli.training import deploy, drafted, learn
    from credence.task import Task

    drafting = args.pipeline == "training" and args.data
    task = Task.read(drafted(args) if drafting else args.task, args.overrides)
    if args.pipeline == "generation":
        return write(task, args)
    if args.dry_run:
        from credence import dry_run

        return print(dry_run.plan(task, dry_run.read(task, args.sample)))
    if args.every is not None and not on_a_schedule(args):
        return again(task, args)
    if args.pipeline == "training" and args.stack == "local" and task.source.kind != "artifact":
        from credence import dry_run

        dry_run.preflight(task, args.sample)
    start_zenml()
    {"training": learn, "deployment": deploy, "inference": score, "monitoring": watch}[args.pipeline](task, args)


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 something broke, 2 the input cannot be used, 130 interrupted."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(SELDOM)
    try:
        with until_told():
            run(arguments(argv, offered()))
    except KeyboardInterrupt:
        say("stopped; the champion is what it was, and what is done is kept: the same command goes on from there.")
        return 130
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        say(f"error: {sentence}")
        return 2
    return 0


def run_and_exit() -> None:
    """Run `main` and end the process with its exit code."""
    code = main()
    gc.freeze()  # a process that ends need not look for garbage, which takes seconds with all that is imported
    sys.exit(code)
