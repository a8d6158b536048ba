"""The one command: python run.py --pipeline training --task breast_cancer  (see --help)."""

import gc
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from credence.arguments import arguments
from credence.errors import BadInput
from credence.failures import sentence_of
from credence.repeat import until_told
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


def say(text: str) -> None:
    """A line for the person who waits; results go to standard output, this does not."""
    print(text, file=sys.stderr, flush=True)


def run(args: Namespace) -> None:
    """Read the task, then plan it or run the pipeline that is asked for."""
    if args.pipeline == "promotion":  # the way back has no time to lose, and must not depend on what the file says now
        return promote(args.task.stem, args)
    from credence.task import Task

    drafting = args.pipeline == "training" and args.data
    task = Task.read(drafted(args) if drafting else args.task, args.overrides)
    if args.pipeline == "generation":
        return write(task, args)
    if args.dry_run:
        from credence import plan

        return print(plan.plan(task, plan.read(task, args.sample)))
    if args.every is not None and not on_a_schedule(args):
        return again(task, args)
    if args.pipeline == "training" and args.stack == "local" and task.source.kind != "artifact":
        from credence import plan

        plan.preflight(task, args.sample)
    start_zenml()
    {"training": learn, "deployment": deploy, "inference": score, "monitoring": watch}[args.pipeline](task, args)


def start_zenml() -> None:
    """Say something before the seconds that importing it takes, and see that its store is whole."""
    from stacks.newborn import see_to_store

    say("starting ZenML …")
    see_to_store()


def write(task: Any, args: Namespace) -> None:
    """Have language models write the rows that the task asks for, or say what that would take."""
    from credence.generation.generate import ready
    from credence.generation.plan import plan

    if task.generation is None:
        raise BadInput(f"{task.name} has no section generation; add one (docs/generation.md), or name another --task.")
    if args.dry_run:
        return print(plan(task.name, task.generation))
    ready(task.generation)
    start_zenml()
    from pipelines.generation import generation
    from stacks.activate import has_tracker
    from stacks.running import run_to_its_end

    pipeline = configured(generation, task.name, args)
    given = {"resume": args.resume is not False, "tracked": has_tracker()}
    done = run_to_its_end(pipeline, task=task.name, section=task.generation, **given)
    print(done.steps["examine_rows"].outputs["quality"][0].load().sentence)
    say(f"next: python run.py --pipeline training --task {task.name}")


def learn(task: Any, args: Namespace, feedback: bool = False) -> None:
    """Train, deploy a new champion, and say what to type next."""
    verdict = train(task, args, feedback or args.feedback)
    if verdict.outcome == "promote" and not args.no_deploy:
        deploy(task, args)
    elif verdict.outcome == "hold":
        approve = f'python run.py --pipeline promotion --task {task.name} --approve --reason "…"'
        say(f"next: make dashboard   (the report names the guard; mend its cause and train again, or {approve})")
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


def configured(pipeline: Any, name: str, args: Namespace, **options: Any) -> Any:
    """The pipeline on the chosen stack."""
    from stacks.activate import Unfinished, use

    try:
        stack = use(args.stack)
    except Unfinished as error:
        raise BadInput(str(error)) from None
    return pipeline.with_options(
        tags=[name],
        enable_cache=False if args.no_cache else None,
        **options,
        **stack,
    )


def train(task: Any, args: Namespace, feedback: bool = False) -> Any:
    """Run the training pipeline and print the table of candidates and the verdict."""
    from zenml import Model

    from credence.summary import summary
    from pipelines.training import training
    from stacks.activate import has_tracker
    from stacks.running import run_to_its_end

    pipeline = configured(training, task.name, args, model=Model(name=task.name))
    done = run_to_its_end(pipeline, task=task, sample=args.sample, feedback=feedback, tracked=has_tracker())
    report = done.steps["evaluate_challenger"].output.load()
    verdict = done.steps["judge_challenger"].outputs["verdict"][0].load()
    cached = [name for name, step in done.steps.items() if step.status == "cached"]
    print(summary(report, verdict, cached, len(done.steps)))
    return verdict


def deploy(task: Any, args: Namespace) -> None:
    """Run the deployment pipeline and print what the champion answered over HTTP."""
    from zenml import Model

    from pipelines.deployment import deployment
    from stacks.running import run_to_its_end

    pipeline = configured(deployment, task.name, args, model=Model(name=task.name, version="production"))
    demand_champion(task)
    done = run_to_its_end(pipeline, task=task.name)
    print(done.steps["try_bento"].output.load())
    say("next: make serve   (then open http://127.0.0.1:3000)")


def demand_champion(task: Any) -> Any:
    """The champion's version. BadInput where there is none yet."""
    from zenml.client import Client

    try:
        return Client().get_model_version(task.name, "production")
    except KeyError:
        hint = f"run python run.py --pipeline training --task {task.name} first."
        raise BadInput(f"{task.name} has no champion yet; {hint}") from None


def score(task: Any, args: Namespace) -> None:
    """Answer many rows with the champion; the same command goes on where it was stopped."""
    from credence.batch.job import Job
    from credence.draft import source_of
    from pipelines.inference import inference
    from stacks.running import run_to_its_end

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
    from stacks.running import run_to_its_end

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
    from credence.durations import spoken
    from stacks.running import run_to_its_end
    from stacks.schedule import schedule

    run_to_its_end(pipeline.with_options(schedule=schedule(every)), **given)
    say(f"the orchestrator runs this every {spoken(every)} from now on; zenml pipeline schedule list shows it.")


def again(task: Any, args: Namespace) -> None:
    """Run the same command every so often, each time in a process of its own."""
    from credence.home import monitoring_folder
    from credence.repeat import repeat, without

    command = [sys.executable, __file__, *without("--every", sys.argv[1:])]
    repeat(command, args.every, monitoring_folder(task.name) / "every.lock", say)


def promote(name: str, args: Namespace) -> None:
    """Make another version the champion, try one on real traffic, or print who did so before."""
    from steps.packaging import is_served, preparing

    if args.stack == "local" and not (args.history or args.challenger) and is_served(name):
        preparing()
    start_zenml()
    from pipelines.promotion import promotion, trial
    from stacks.activate import has_tracker
    from stacks.running import run_to_its_end

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
    from credence.audit import table
    from stacks.activate import use
    from steps.audit import history
    from steps.versions import champion_version

    use(args.stack)
    lines, champion = history(name), champion_version(name)
    if not lines:
        raise BadInput(f"no version of {name} was promoted yet; run --pipeline training first.")
    print(table(lines, champion.number if champion else None))


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


if __name__ == "__main__":
    code = main()
    gc.freeze()  # a process that ends need not look for garbage, which takes seconds with all that is imported
    sys.exit(code)
