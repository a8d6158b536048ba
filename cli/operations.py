"""The pipelines around a champion: generation, inference, monitoring, promotion."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from cli.pipeline import configured, say, start_zenml
from cli.training import demand_champion, learn
from credence.core.errors import BadInput


def write(task: Any, args: Namespace) -> None:
    """Have language models write the rows that the task asks for, or say what that would take."""
    from credence.generation.dry_run import plan
    from credence.generation.generate import ready

    if task.generation is None:
        raise BadInput(f"{task.name} has no section generation; add one (docs/generation.md), or name another --task.")
    if args.dry_run:
        return print(plan(task.name, task.generation))
    ready(task.generation)
    start_zenml()
    from pipelines.generation import generation
    from stacks.activate import has_tracker
    from stacks.pipeline_run import run_to_its_end

    pipeline = configured(generation, task.name, args)
    given = {"resume": args.resume is not False, "tracked": has_tracker()}
    done = run_to_its_end(pipeline, task=task.name, section=task.generation, **given)
    print(done.steps["examine_rows"].outputs["quality"][0].load().sentence)
    say(f"next: python run.py --pipeline training --task {task.name}")


def score(task: Any, args: Namespace) -> None:
    """Answer many rows with the champion; the same command goes on where it was stopped."""
    from credence.data.drafting import source_of
    from credence.production.batch.job import Job
    from pipelines.inference import inference
    from stacks.pipeline_run import run_to_its_end

    if not args.out:
        raise BadInput("--pipeline inference needs --out PLACE, such as answers.parquet.")
    given = {"chunk_rows": args.chunk, "processes": args.processes, "row_id": args.id or task.columns.row_id}
    source = source_of(Path(args.data)) if args.data else task.source
    out, _, table = args.out.partition("#")
    named = {k: v for k, v in given.items() if v is not None} | ({"table": table} if table else {})
    job = Job(source=source, out=out, text=task.columns.text, **named)
    pipeline = configured(inference, task.name, args)
    demand_champion(task)
    done = run_to_its_end(pipeline, task=task.name, job=job, shards=args.shards or 1)
    print(done.steps["assemble_answers"].output.load())


def watch(task: Any, args: Namespace) -> None:
    """Monitor, print the verdict, and train again where the task asks for that and the verdict gives cause."""
    from zenml import Model

    from pipelines.monitoring import monitoring
    from stacks.activate import has_tracker
    from stacks.pipeline_run import run_to_its_end

    pipeline = configured(monitoring, task.name, args, model=Model(name=task.name, version="production"))
    demand_champion(task)
    given = {"task": task, "since": args.since, "until": args.until, "tracked": has_tracker()}
    if args.every is not None:
        return enrol(pipeline, args.every, given)
    done = run_to_its_end(pipeline, **given)
    health = done.steps["examine_window"].outputs["health"][0].load()
    said = [health.reason, health.performance.sentence]
    others = [trouble for trouble in health.troubles if trouble not in said]
    print("\n".join([f"{health.verdict}: {said[0]}", *filter(None, said[1:]), *others]), flush=True)
    if advice := done.steps["compare_challenger"].outputs["recommendation"][0].load():
        print(advice)
    if health.retrain:
        say("training starts, on the rows of the task and those of the log whose answer is known …")
        learn(task, args, feedback=True)


def on_a_schedule(args: Namespace) -> bool:
    """Whether the stack's orchestrator has a clock of its own."""
    if args.stack == "local":
        return False
    from stacks.activate import use
    from stacks.schedule import schedules

    use(args.stack)
    return schedules()


def enrol(pipeline: Any, every: float, given: dict[str, Any]) -> None:
    """Register a schedule with the orchestrator."""
    from credence.core.time_format import spoken
    from stacks.pipeline_run import run_to_its_end
    from stacks.schedule import schedule

    run_to_its_end(pipeline.with_options(schedule=schedule(every)), **given)
    say(f"the orchestrator runs this every {spoken(every)} from now on; zenml pipeline schedule list shows it.")


def again(task: Any, args: Namespace) -> None:
    """Run the same command every so often, each time in a process of its own."""
    from cli.periodic import repeat, without
    from credence.core.paths import monitoring_folder

    command = [sys.executable, sys.argv[0], *without("--every", sys.argv[1:])]
    repeat(command, args.every, monitoring_folder(task.name) / "every.lock", say)


def promote(name: str, args: Namespace) -> None:
    """Make another version the champion, try one on real traffic, or print who did so before."""
    from steps.shared.bento_process import is_served, preparing

    if args.stack == "local" and not (args.history or args.challenger) and is_served(name):
        preparing()
    start_zenml()
    from pipelines.promotion import promotion, trial
    from stacks.activate import has_tracker
    from stacks.pipeline_run import run_to_its_end

    if args.history:
        return history(name, args)
    if args.challenger:
        pipeline, given = configured(trial, name, args), {"challenger": args.challenger, "share": args.share}
    else:
        pipeline = configured(promotion, name, args)
        given = {"to": args.to, "approve": args.approve, "tracked": has_tracker()}
    done = run_to_its_end(pipeline, task=name, reason=args.reason, **given)
    print(next(iter(done.steps.values())).output.load())


def history(name: str, args: Namespace) -> None:
    """Print the audit table."""
    from credence.production.audit import table
    from stacks.activate import use
    from steps.shared.audit_log import history
    from steps.shared.model_versions import champion_version

    use(args.stack)
    lines, champion = history(name), champion_version(name)
    if not lines:
        raise BadInput(f"no version of {name} was promoted yet; run --pipeline training first.")
    print(table(lines, champion.number if champion else None))
