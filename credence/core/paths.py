"""Where a running system keeps what is no artifact: the log of predictions, the state of servers, alerts."""

import os
from pathlib import Path


def state_dir() -> Path:
    """CREDENCE_HOME, or ~/.credence."""
    return Path(os.environ.get("CREDENCE_HOME") or "~/.credence").expanduser()


def log_folder(task: str) -> Path:
    """Every answer that a task's predictors gave, and the truth that came later."""
    return state_dir() / task / "log"


def serving_folder(task: str) -> Path:
    """What the task's servers shall answer with, and what each of them says of itself."""
    return state_dir() / task / "serving"


def monitoring_folder(task: str) -> Path:
    """The newest verdict of monitoring, and the alerts."""
    return state_dir() / task / "monitoring"


def training_folder() -> Path:
    """Checkpoints and curves of what learns in epochs, a folder for each run."""
    return state_dir() / "training"


def generation_folder(task: str) -> Path:
    """The last report and metrics of what language models write for the task."""
    return state_dir() / task / "generation"
