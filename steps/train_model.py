"""Fit one candidate, after a search of its hyper-parameters where the task asks for one."""

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
    """The fitted candidate; a search leaves its trials as nested MLflow runs."""
    X, y = inputs(train), train["label"].to_numpy()
    model: Model = tuned(spec, X, y, on_trial=_trial(spec.kind)).build().fit(X, y)
    record.facts({"kind": spec.kind, "fit_seconds": model.fit_seconds, "parameters": model.model_dump(mode="json")})
    record.say(f"{model.title()} learned from {len(train):,} rows in {model.fit_seconds:.1f} s")
    return model


def _trial(kind: str) -> Any:
    def keep(number: int, parameters: dict[str, Any], loss: float) -> None:
        with record.nested(f"{kind} trial {number}"):
            record.parameters(parameters)
            record.metrics({"log_loss": loss})

    return keep
