"""Run the training and the deployment pipeline."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.pipeline import on_stack
from credence.core.errors import InputError
from credence.core.log import log

if TYPE_CHECKING:
    from credence.evaluation.gate import Verdict
    from credence.reporting.model_report.report import Report


def train_and_deploy(task: Any, args: Namespace, feedback: bool = False) -> None:
    """Train, deploy a new champion unless --no-deploy, and print the next command.

    Args:
        task: The task.
        args: The parsed flags.
        feedback: Whether to train on labelled rows of the log too, as with --feedback.
    """
    verdict = run_training(task, args, feedback or args.feedback)
    if verdict.outcome == "promote" and not args.no_deploy:
        run_deployment(task, args)
    elif verdict.outcome == "hold":
        approve = f'python run.py --pipeline promotion --task {task.name} --approve --reason "…"'
        log(f"next: make dashboard   (the report names the guard; mend its cause and train again, or {approve})")
    elif verdict.champion is None and verdict.outcome == "keep":
        log("next: make dashboard   (the report shows where every candidate falls short)")
    else:
        log(f"next: python run.py --pipeline deployment --task {task.name}")


def draft_from_table(args: Namespace) -> Path:
    """Write a task file for the table of --data, print what was inferred, and return the file's path."""
    from credence.data.drafting import draft_from_cli

    log(f"reading {args.data} …")
    path, notes = draft_from_cli(args)
    for note in notes:
        log(f"  {note}")
    return path


def run_training(task: Any, args: Namespace, feedback: bool = False) -> Any:
    """Run the training pipeline, print the table of candidates and the verdict, and return the verdict."""
    from zenml import Model

    from pipelines.training import training
    from stacks.activate import has_tracker
    from stacks.pipeline_run import run_pipeline

    pipeline = on_stack(training, task.name, args, model=Model(name=task.name))
    done = run_pipeline(pipeline, task=task, sample=args.sample, feedback=feedback, tracked=has_tracker())
    report = done.steps["evaluate_challenger"].output.load()
    verdict = done.steps["judge_challenger"].outputs["verdict"][0].load()
    cached = [name for name, step in done.steps.items() if step.status == "cached"]
    print(training_summary(report, verdict, cached, len(done.steps)))
    return verdict


def training_summary(report: "Report", verdict: "Verdict", cached: Sequence[str], steps: int) -> str:
    """Format the table of candidates, the use of the cache, and the verdict.

    Args:
        report: The report of the run.
        verdict: The gate's verdict.
        cached: Names of steps served from the cache.
        steps: Number of all steps.
    """
    from credence.reporting.number_format import align_columns

    cache_line = f"{len(cached)} of {steps} steps were served from the cache.\n" if cached else ""
    return f"\n{align_columns(report.table())}\n\n{cache_line}{verdict.outcome}: {verdict.reason}"


def run_deployment(task: Any, args: Namespace) -> None:
    """Run the deployment pipeline and print an answer of the champion over HTTP.

    Raises:
        InputError: The task has no champion.
    """
    from zenml import Model

    from pipelines.deployment import deployment
    from stacks.pipeline_run import run_pipeline

    pipeline = on_stack(deployment, task.name, args, model=Model(name=task.name, version="production"))
    require_champion(task)
    done = run_pipeline(pipeline, task=task.name)
    print(done.steps["try_bento"].output.load())
    log("next: make serve   (then open http://127.0.0.1:3000)")


def require_champion(task: Any) -> Any:
    """Return the champion's model version.

    Raises:
        InputError: There is none yet.
    """
    from zenml.client import Client

    try:
        return Client().get_model_version(task.name, "production")
    except KeyError:
        hint = f"run python run.py --pipeline training --task {task.name} first."
        raise InputError(f"{task.name} has no champion yet; {hint}") from None
