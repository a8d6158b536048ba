"""Fit one candidate, after a hyper-parameter search if the task asks for one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import pandas as pd
from zenml import step

import materializers.folder  # noqa: F401  registers how models are stored
from credence.core.paths import training_folder
from credence.core.registry import ModelSpec
from credence.data.rows import model_inputs
from credence.evaluation.code_length import prequential_bits
from credence.experiment import tune
from credence.model import Model, OnEpoch
from steps.shared import tracking


@step
def train_model(train: pd.DataFrame, spec: ModelSpec) -> Annotated[Model, "candidate"]:
    """Fit a candidate; the trials of a search become nested MLflow runs."""
    X, y = model_inputs(train), train["label"].to_numpy()
    found = tune(spec, X, y, on_trial=_trial_logger(spec.kind))
    model: Model = found.build()
    with _epoch_logger(model) as watch:
        model.with_checkpoints(training_folder(), watch).fit(X, y)
    if found.prequential:
        model.set_prequential_bits(prequential_bits(found, X, y))
    tracking.log_run_metadata(
        {"kind": spec.kind, "fit_seconds": model.fit_seconds, "parameters": model.model_dump(mode="json")}
    )
    tracking.log_line(f"{model.display_name()} learned from {len(train):,} rows in {model.fit_seconds:.1f} s")
    return model


@contextmanager
def _epoch_logger(model: Model) -> Iterator[OnEpoch]:
    """Yield a callback that logs epochs to a nested MLflow run, opened at the first epoch."""
    with ExitStack() as runs:

        def watch(epoch: int, figures: dict[str, float]) -> None:
            if not begun:
                begun.append(runs.enter_context(tracking.nested_run(f"{model.display_name()} learning")))
            tracking.log_metrics(figures, step=epoch)

        begun: list[bool] = []
        yield watch


def _trial_logger(kind: str) -> Any:
    def log_trial(number: int, parameters: dict[str, Any], loss: float) -> None:
        with tracking.nested_run(f"{kind} trial {number}"):
            tracking.log_parameters(parameters)
            tracking.log_metrics({"log_loss": loss})

    return log_trial
