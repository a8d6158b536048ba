"""The training pipeline: rows -> candidates -> one calibrated challenger -> verdict -> model card -> champion."""

from typing import Any

from zenml import pipeline
from zenml.config import CachePolicy
from zenml.enums import ExecutionMode

from credence.core.hashing import source_digest
from credence.statistics.threshold import threshold_minimum
from credence.task import Task
from steps.training.add_feedback import add_feedback
from steps.training.check_rows import check_rows
from steps.training.choose_challenger import choose_challenger
from steps.training.evaluate_challenger import evaluate_challenger
from steps.training.judge_challenger import judge_challenger
from steps.training.load_rows import load_rows
from steps.training.load_shifts import load_shifts
from steps.training.promote_challenger import promote_challenger
from steps.training.split_rows import split_rows
from steps.training.train_model import train_model
from steps.training.write_card import write_card

POLICY = CachePolicy(cache_func=source_digest, include_artifact_ids=False)


@pipeline(cache_policy=POLICY, execution_mode=ExecutionMode.FAIL_FAST)  # the step's own exception, not a summary
def training(task: Task, sample: int | None = None, feedback: bool = False, tracked: bool = True) -> None:
    """Train the candidates of a task, compare the best with the champion, and promote it if the gate says so."""
    tracker: dict[str, Any] = {"experiment_tracker": True} if tracked else {}
    rows = load_rows(task.source, task.columns, task.split.split_columns(), sample)
    if feedback:
        rows = add_feedback(rows, task.name, task.answers, task.columns, task.split)
    findings = check_rows(rows, task.checks, task.split)
    train, calibration, test = split_rows(rows, task.split)
    models = [
        train_model.with_options(**tracker)(train, spec, id=f"train_{i}_{spec.kind}")
        for i, spec in enumerate(task.models, 1)
    ]
    challenger, contenders = choose_challenger(
        models,
        train,
        calibration,
        task.calibration,
        task.info(),
        task.gate.metric,
        threshold_minimum(task.gate.metric, task.gate.minimum),
    )
    helpers = task.split.split_columns()
    given = {"shifts": load_shifts(task.shift, task.columns, helpers, rows, sample)} if task.shift else {}
    report = evaluate_challenger.with_options(**tracker)(challenger, contenders, test, task.gate.metric, **given)
    verdict, _, predictor = judge_challenger(challenger, test, task.gate, findings)
    card = write_card.with_options(**tracker)(report, verdict, findings, predictor, test, task.info())
    promote_challenger.with_options(**tracker)(verdict, after=card)  # the card is signed with the predictor
