"""The one command: python run.py --pipeline training --task breast_cancer  (see --help)."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from credence.arguments import arguments
from credence.errors import BadInput
from credence.failures import sentence_of
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


def say(text: str) -> None:
    """A line for the person who waits; results go to standard output, this does not."""
    print(text, file=sys.stderr, flush=True)


def run(args: Namespace) -> None:
    """Read the task, then plan it or run the pipeline that is asked for."""
    from credence.task import Task

    task = Task.read(drafted(args) if args.data else args.task, args.overrides)
    if args.dry_run:
        return plan(task, args.sample)
    if args.pipeline == "training" and args.stack == "local" and task.source.kind != "artifact":
        preflight(task, args.sample)
    say("starting ZenML …")
    if args.pipeline == "deployment":
        return deploy(task, args)
    verdict = train(task, args)
    if verdict.outcome == "promote" and not args.no_deploy:
        deploy(task, args)
    elif verdict.outcome == "hold":
        say("next: make dashboard   (the report names the guard; mend its cause and train again)")
    elif verdict.champion is None and verdict.outcome == "keep":
        say("next: make dashboard   (the report shows where every candidate falls short)")
    else:
        say(f"next: python run.py --pipeline deployment --task {task.name}")


def drafted(args: Namespace) -> Path:
    """The task written for the table on the command line, with a line on everything that was decided."""
    from credence.draft import from_arguments

    say(f"reading {args.data} …")
    path, notes = from_arguments(args)
    for note in notes:
        say(f"  {note}")
    return path


def read(task: Any, sample_size: int | None) -> Any:
    """The task's rows, as the pipeline will see them."""
    from credence.rows import canonical, sample

    return sample(canonical(task.source.build().read(), task.columns, task.split.helpers()), sample_size)


def plan(task: Any, sample_size: int | None) -> None:
    """Print what a run would do."""
    from credence import plan as plans

    print(plans.plan(task, read(task, sample_size)))


def preflight(task: Any, sample_size: int | None) -> None:
    """Refuse rows that cannot be learned from before anything is started or written."""
    from credence.split import assign

    assign(read(task, sample_size), task.split)


def configured(pipeline: Any, task: Any, args: Namespace, version: str | None = None) -> Any:
    """The pipeline on the chosen stack, under the task's model: a new version of it, or the one in that stage."""
    from zenml import Model

    from stacks.activate import Unfinished, use

    try:
        stack = use(args.stack)
    except Unfinished as error:
        raise BadInput(str(error)) from None
    return pipeline.with_options(
        model=Model(name=task.name, version=version),
        tags=[task.name],
        enable_cache=False if args.no_cache else None,
        **stack,
    )


def finished(pipeline: Any, **parameters: Any) -> Any:
    """The pipeline's run. ZenML turns Ctrl-C into an exception of its own; here it is Ctrl-C again."""
    from zenml.exceptions import RunInterruptedException, RunStoppedException

    try:
        return pipeline(**parameters)
    except (RunInterruptedException, RunStoppedException):
        raise KeyboardInterrupt from None


def train(task: Any, args: Namespace) -> Any:
    """Run the training pipeline and print the table of candidates and the verdict."""
    from credence.summary import summary
    from pipelines.training import training
    from stacks.activate import has_tracker

    pipeline = configured(training, task, args)
    done = finished(pipeline, task=task, sample=args.sample, tracked=has_tracker())
    report = done.steps["evaluate_challenger"].output.load()
    verdict = done.steps["judge_challenger"].outputs["verdict"][0].load()
    cached = [name for name, step in done.steps.items() if step.status == "cached"]
    print(summary(report, verdict, cached, len(done.steps)))
    return verdict


def deploy(task: Any, args: Namespace) -> None:
    """Run the deployment pipeline and print what the champion answered over HTTP."""
    from zenml.client import Client

    from pipelines.deployment import deployment

    pipeline = configured(deployment, task, args, "production")
    try:
        Client().get_model_version(task.name, "production")
    except KeyError:
        hint = f"run python run.py --pipeline training --task {task.name} first."
        raise BadInput(f"{task.name} has no champion yet; {hint}") from None
    done = finished(pipeline)
    print(done.steps["try_bento"].output.load())
    say("next: make serve   (then open http://127.0.0.1:3000)")


def main(argv: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 something broke, 2 the input cannot be used, 130 interrupted."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        run(arguments(argv, offered()))
    except KeyboardInterrupt:
        say("stopped; the champion is what it was, and the steps that are done are kept.")
        return 130
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        say(f"error: {sentence}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
