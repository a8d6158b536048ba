"""Run the pipelines around a champion: generation, inference, monitoring, promotion."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from cli.pipeline import init_zenml, on_stack
from cli.training import require_champion, train_and_deploy
from credence.core.errors import InputError
from credence.core.log import log


def run_generation(task: Any, args: Namespace) -> None:
    """Generate the task's rows with language models, or print the plan (--dry-run).

    Raises:
        InputError: The task has no section generation, or generation cannot start.
    """
    from credence.generation.dry_run import generation_plan
    from credence.generation.generate import check_ready

    if task.generation is None:
        raise InputError(
            f"{task.name} has no section generation; add one (docs/how-to/generate-rows.md), or name another --task."
        )
    if args.dry_run:
        return print(generation_plan(task.name, task.generation))
    check_ready(task.generation)
    init_zenml()
    from pipelines.generation import generation
    from stacks.activate import has_tracker
    from stacks.pipeline_run import run_pipeline

    pipeline = on_stack(generation, task.name, args)
    given = {"resume": args.resume is not False, "tracked": has_tracker()}
    done = run_pipeline(pipeline, task=task.name, section=task.generation, **given)
    print(done.steps["examine_rows"].outputs["quality"][0].load().sentence)
    log(f"next: python run.py --pipeline training --task {task.name}")


def run_batch(task: Any, args: Namespace) -> None:
    """Score many rows with the champion; a second run of the same command continues an interrupted one.

    Raises:
        InputError: --out is missing, or the task has no champion.
    """
    from credence.data.drafting import source_from_path
    from credence.production.batch.job import BatchJob
    from pipelines.inference import inference
    from stacks.pipeline_run import run_pipeline

    if not args.out:
        raise InputError("--pipeline inference needs --out PLACE, such as answers.parquet.")
    given = {"chunk_rows": args.chunk, "processes": args.processes, "row_id": args.id or task.columns.row_id}
    source = source_from_path(Path(args.data)) if args.data else task.source
    out, _, table = args.out.partition("#")
    options = {k: v for k, v in given.items() if v is not None} | ({"table": table} if table else {})
    job = BatchJob(source=source, out=out, text=task.columns.text, **options)
    pipeline = on_stack(inference, task.name, args)
    require_champion(task)
    done = run_pipeline(pipeline, task=task.name, job=job, shards=args.shards or 1)
    print(done.steps["assemble_answers"].output.load())


def run_monitoring(task: Any, args: Namespace) -> None:
    """Run monitoring and print the verdict; retrain if the task and the verdict ask for it.

    With --every, register a schedule with the orchestrator instead.

    Raises:
        InputError: The task has no champion.
    """
    from zenml import Model

    from pipelines.monitoring import monitoring
    from stacks.activate import has_tracker
    from stacks.pipeline_run import run_pipeline

    pipeline = on_stack(monitoring, task.name, args, model=Model(name=task.name, version="production"))
    require_champion(task)
    given = {"task": task, "since": args.since, "until": args.until, "tracked": has_tracker()}
    if args.every is not None:
        return register_schedule(pipeline, args.every, given)
    done = run_pipeline(pipeline, **given)
    health = done.steps["examine_window"].outputs["health"][0].load()
    reason, performance = health.reason, health.performance.sentence
    others = [trouble for trouble in health.troubles if trouble not in (reason, performance)]
    print("\n".join([f"{health.verdict}: {reason}", *filter(None, [performance]), *others]), flush=True)
    if advice := done.steps["compare_challenger"].outputs["recommendation"][0].load():
        print(advice)
    if health.retrain:
        log("training starts, on the rows of the task and those of the log whose answer is known …")
        train_and_deploy(task, args, feedback=True)


def has_scheduler(args: Namespace) -> bool:
    """Activate the stack and return whether its orchestrator supports schedules."""
    if args.stack == "local":
        return False
    from stacks.activate import activate_stack
    from stacks.schedule import schedules

    activate_stack(args.stack)
    return schedules()


def register_schedule(pipeline: Any, every: float, given: dict[str, Any]) -> None:
    """Let the orchestrator run a pipeline every so many seconds."""
    from credence.core.time_format import format_duration
    from stacks.pipeline_run import run_pipeline
    from stacks.schedule import schedule

    run_pipeline(pipeline.with_options(schedule=schedule(every)), **given)
    log(
        f"the orchestrator runs this every {format_duration(every)} from now on; zenml pipeline schedule list shows it."
    )


def run_every(task: Any, args: Namespace) -> None:
    """Run the same command without --every again and again, each time in a new process."""
    from cli.periodic import run_periodically, strip_flag
    from credence.core.paths import monitoring_folder

    command = [sys.executable, sys.argv[0], *strip_flag("--interval", strip_flag("--every", sys.argv[1:]))]
    run_periodically(command, args.every, monitoring_folder(task.name) / "every.lock", log)


def run_promotion(name: str, args: Namespace) -> None:
    """Promote another version, start or stop an A/B test, or print the promotions so far (--history)."""
    from steps.shared.bento_process import has_running_service, preload

    if args.stack == "local" and not (args.history or args.challenger) and has_running_service(name):
        preload()
    init_zenml()
    from pipelines.promotion import ab_test, promotion
    from stacks.activate import has_tracker
    from stacks.pipeline_run import run_pipeline

    if args.history:
        return print_history(name, args)
    if args.challenger:
        pipeline, given = on_stack(ab_test, name, args), {"challenger": args.challenger, "share": args.share}
    else:
        pipeline = on_stack(promotion, name, args)
        given = {"to": args.to, "approve": args.approve, "tracked": has_tracker()}
    done = run_pipeline(pipeline, task=name, reason=args.reason, **given)
    print(next(iter(done.steps.values())).output.load())


def print_history(name: str, args: Namespace) -> None:
    """Print the audit table of promotions.

    Raises:
        InputError: No version was promoted yet.
    """
    from credence.production.audit import audit_table
    from stacks.activate import activate_stack
    from steps.shared.audit_log import promotion_history
    from steps.shared.model_versions import champion_version

    activate_stack(args.stack)
    lines, champion = promotion_history(name), champion_version(name)
    if not lines:
        raise InputError(f"no version of {name} was promoted yet; run --pipeline training first.")
    print(audit_table(lines, champion.number if champion else None))
