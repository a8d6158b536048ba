"""Fit one candidate, after a search of its hyper-parameters where the task asks for one."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import pandas as pd
from zenml import step

import materializers.folder  # noqa: F401  registers how models are stored
from credence.contest import tuned
from credence.kinds import ModelSpec
from credence.models import Model
from credence.rows import inputs
from steps import record


@step
def train_model(train: pd.DataFrame, spec: ModelSpec) -> Annotated[Model, "candidate"]:
    """The fitted candidate, recorded as a nested MLflow run with its parameters, its seconds and its folder."""
    X, y = inputs(train), train["label"].to_numpy()
    with record.nested(spec.kind):
        model: Model = tuned(spec, X, y, on_trial=_trial).build().fit(X, y)
        record.parameters({"kind": spec.kind, **model.model_dump(mode="json")})
        record.metrics({"fit_seconds": model.fit_seconds})
        _keep(model)
    record.facts({"kind": spec.kind, "fit_seconds": model.fit_seconds})
    record.say(f"{model.title()} learned from {len(train):,} rows in {model.fit_seconds:.1f} s")
    return model


def _trial(number: int, parameters: dict[str, Any], loss: float) -> None:
    with record.nested(f"trial {number}"):
        record.parameters(parameters)
        record.metrics({"log_loss": loss})


def _keep(model: Model) -> None:
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        record.files(Path(folder), "model")
