"""Log to ZenML's metadata, to MLflow if the stack tracks experiments, and to stderr."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from zenml import log_metadata

from credence.core.log import log


def log_line(text: str) -> None:
    """Print one line of progress to stderr."""
    log(f"  {text}")


def log_run_metadata(values: Mapping[str, Any], to_model: bool = False) -> None:
    """Attach values to the step and, if `to_model`, to the model version."""
    log_metadata(dict(values))
    if to_model:
        log_metadata(dict(values), infer_model=True)


@contextmanager
def nested_run(name: str) -> Iterator[bool]:
    """Open a nested MLflow run; yields False, and opens none, without an active run."""
    if mlflow.active_run() is None:
        yield False
        return
    with mlflow.start_run(run_name=name, nested=True):
        yield True


def log_metrics(values: Mapping[str, float], step: int | None = None) -> None:
    """Log metrics to the active MLflow run, if any; None and NaN are left out, because MLflow rejects them."""
    if mlflow.active_run() is not None:
        mlflow.log_metrics({k: float(v) for k, v in values.items() if v is not None and v == v}, step=step)


def log_parameters(values: Mapping[str, Any]) -> None:
    """Log hyper-parameters to the active MLflow run, if any."""
    if mlflow.active_run() is not None:
        mlflow.log_params(dict(values))


def log_files(folder: Path, under: str) -> None:
    """Log a folder as artifacts of the active MLflow run, if any."""
    if mlflow.active_run() is not None:
        mlflow.log_artifacts(str(folder), under)


def log_text(content: str, name: str) -> None:
    """Log a text file as an artifact of the active MLflow run, if any."""
    if mlflow.active_run() is not None:
        mlflow.log_text(content, name)
