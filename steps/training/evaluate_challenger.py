"""Measure every contender on the test rows, with intervals."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pandas as pd
from zenml import step

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.predictor import Predictor
from credence.reporting.model_report import Report, build_report, plots
from credence.reporting.plot_style import png
from credence.statistics.metrics import Name
from steps.shared import tracking

PICTURES = (plots.roc, plots.precision_recall, plots.reliability, plots.confusion)
FEW = 200


@step
def evaluate_challenger(
    challenger: Predictor,
    contenders: list[Predictor],
    test: pd.DataFrame,
    metric: Name,
    shifts: pd.DataFrame | None = None,
) -> Annotated[Report, "report"]:
    """The report: what the dashboard draws, what the card states and what MLflow keeps as figures."""
    winner = [p.digest() for p in contenders].index(challenger.digest())
    tracking.say(f"measuring {len(contenders)} candidates on {len(test):,} test rows, each figure with its interval")
    report = build_report(contenders, winner, None, test, metric, elsewhere=shifts)
    tracking.metrics(report.flat())
    tracking.facts({"test": report.flat()}, to_model=True)
    for contender in contenders:
        with tracking.nested(contender.model.title()) as tracked:
            if tracked:
                tracking.say(f"{contender.model.title()} by itself, for MLflow")
                _keep(contender, build_report([contender], 0, None, test, metric, FEW, elsewhere=shifts))
    return report


def _keep(contender: Predictor, report: Report) -> None:
    """A candidate's own MLflow run: parameters, figures, pictures and folder."""
    tracking.parameters({"kind": contender.model.kind(), **contender.model.model_dump(mode="json")})
    tracking.metrics(report.flat())
    with TemporaryDirectory() as place:
        for picture in PICTURES:
            (Path(place) / f"{picture.__name__}.png").write_bytes(png(picture(report), 80))
        tracking.files(Path(place), "pictures")
    with TemporaryDirectory() as place:
        contender.save(Path(place))
        tracking.files(Path(place), "predictor")
