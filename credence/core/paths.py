"""State folders below CREDENCE_HOME: prediction log, server state, monitoring, training, generation."""

import os
from pathlib import Path


def state_dir() -> Path:
    """Return CREDENCE_HOME, or ~/.credence if it is not set."""
    return Path(os.environ.get("CREDENCE_HOME") or "~/.credence").expanduser()


def log_folder(task: str) -> Path:
    """Return the folder of a task's prediction log and feedback labels."""
    return state_dir() / task / "log"


def serving_folder(task: str) -> Path:
    """Return the folder of the desired model versions and of each server worker's status."""
    return state_dir() / task / "serving"


def monitoring_folder(task: str) -> Path:
    """Return the folder of the newest monitoring result and the alerts."""
    return state_dir() / task / "monitoring"


def training_folder() -> Path:
    """Return the folder of checkpoints and learning curves, one subfolder per training run."""
    return state_dir() / "training"


def generation_folder(task: str) -> Path:
    """Return the folder of the last report and metrics of text generation for the task."""
    return state_dir() / task / "generation"


def bundled_folder(name: str) -> Path:
    """Files that come with credence, such as "prompts": inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / name if (package / name).is_dir() else package.parent / name
