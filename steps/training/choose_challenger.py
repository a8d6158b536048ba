"""Calibrate every candidate and choose the challenger."""

from typing import Annotated

import pandas as pd
from zenml import step

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.experiment import select_challenger
from credence.model import Model
from credence.predictor import Predictor, TaskInfo
from credence.statistics.calibration import Calibration
from steps.shared import tracking


@step
def choose_challenger(
    models: list[Model],
    train: pd.DataFrame,
    calibration: pd.DataFrame,
    section: Calibration,
    about: TaskInfo,
    metric: str,
    minimum: float,
) -> tuple[Annotated[Predictor, "challenger"], Annotated[list[Predictor], "contenders"]]:
    """Calibrate the candidates and choose the one with the lowest log-loss, without using test rows.

    Returns:
        The challenger and all candidates, calibrated.
    """
    contenders = [Predictor.calibrate(m, train, calibration, section, about, metric, minimum) for m in models]
    losses = select_challenger(contenders, train, calibration)
    best = contenders[losses.index(min(losses))]
    tracking.log_run_metadata(
        {
            "log_loss": {
                f"{i} {p.model.display_name()}": x for i, (p, x) in enumerate(zip(contenders, losses, strict=True))
            }
        }
    )
    tracking.log_line(
        f"{best.model.display_name()} is the challenger: log-loss {min(losses):.4f} on rows it has not learned from"
    )
    return best, contenders
