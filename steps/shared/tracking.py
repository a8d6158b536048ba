"""Where figures go: always to ZenML's metadata, to MLflow where the stack tracks experiments, and to the screen."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from zenml import log_metadata

from credence.core.log import log


def log_line(text: str) -> None:
    """One line of progress for the person who waits."""
    log(f"  {text}")


def log_run_metadata(values: Mapping[str, Any], to_model: bool = False) -> None:
    """Attach values to the step, and to the model version where asked."""
    log_metadata(dict(values))
    if to_model:
        log_metadata(dict(values), infer_model=True)


@contextmanager
def nested_run(name: str) -> Iterator[bool]:
    """A nested MLflow run of that name; yields False, and logs nowhere, where the stack has no tracker."""
    if mlflow.active_run() is None:
        yield False
        return
    with mlflow.start_run(run_name=name, nested=True):
        yield True


def log_metrics(values: Mapping[str, float], step: int | None = None) -> None:
    """Figures of the active MLflow run; those that are not numbers are left out, since MLflow refuses them."""
    if mlflow.active_run() is not None:
        mlflow.log_metrics({k: float(v) for k, v in values.items() if v is not None and v == v}, step=step)


def log_parameters(values: Mapping[str, Any]) -> None:
    """Hyper-parameters of the active MLflow run."""
    if mlflow.active_run() is not None:
        mlflow.log_params(dict(values))


def log_files(folder: Path, under: str) -> None:
    """A folder as artifacts of the active MLflow run."""
    if mlflow.active_run() is not None:
        mlflow.log_artifacts(str(folder), under)


def log_text(content: str, name: str) -> None:
    """A text file as an artifact of the active MLflow run."""
    if mlflow.active_run() is not None:
        mlflow.log_text(content, name)
