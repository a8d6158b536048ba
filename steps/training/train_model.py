"""Fit one candidate, after a search of its hyper-parameters where the task asks for one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import pandas as pd
from zenml import step

import materializers.folder  # noqa: F401  registers how models are stored
from credence.core.paths import training_folder
from credence.core.registry import ModelSpec
from credence.data.rows import inputs
from credence.evaluation.code_length import bits_per_row
from credence.experiment import tuned
from credence.model import Model, Watch
from steps.shared import tracking


@step
def train_model(train: pd.DataFrame, spec: ModelSpec) -> Annotated[Model, "candidate"]:
    """The fitted candidate; a search leaves its trials as nested MLflow runs."""
    X, y = inputs(train), train["label"].to_numpy()
    found = tuned(spec, X, y, on_trial=_trial(spec.kind))
    model: Model = found.build()
    with _curves(model) as watch:
        model.kept_in(training_folder(), watch).fit(X, y)
    if found.prequential:
        model.coded_in(bits_per_row(found, X, y))
    tracking.facts({"kind": spec.kind, "fit_seconds": model.fit_seconds, "parameters": model.model_dump(mode="json")})
    tracking.say(f"{model.title()} learned from {len(train):,} rows in {model.fit_seconds:.1f} s")
    return model


@contextmanager
def _curves(model: Model) -> Iterator[Watch]:
    """A nested MLflow run that begins with the first epoch, and so only for kinds that learn in epochs."""
    with ExitStack() as runs:

        def watch(epoch: int, figures: dict[str, float]) -> None:
            if not begun:
                begun.append(runs.enter_context(tracking.nested(f"{model.title()} learning")))
            tracking.metrics(figures, step=epoch)

        begun: list[bool] = []
        yield watch


def _trial(kind: str) -> Any:
    def keep(number: int, parameters: dict[str, Any], loss: float) -> None:
        with tracking.nested(f"{kind} trial {number}"):
            tracking.parameters(parameters)
            tracking.metrics({"log_loss": loss})

    return keep
