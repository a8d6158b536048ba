"""Measure every candidate on the test rows, with intervals."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pandas as pd
from zenml import step

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.predictor import Predictor
from credence.reporting.model_report import Report, build_report, plots
from credence.reporting.plot_style import png
from credence.statistics.metrics import MetricName
from steps.shared import tracking

PICTURES = (plots.roc_plot, plots.precision_recall_plot, plots.reliability_plot, plots.confusion_plot)
FEW = 200


@step
def evaluate_challenger(
    challenger: Predictor,
    contenders: list[Predictor],
    test: pd.DataFrame,
    metric: MetricName,
    shifts: pd.DataFrame | None = None,
) -> Annotated[Report, "report"]:
    """Build the report for the dashboard, the model card and MLflow."""
    winner = [p.digest() for p in contenders].index(challenger.digest())
    tracking.log_line(
        f"measuring {len(contenders)} candidates on {len(test):,} test rows, each figure with its interval"
    )
    report = build_report(contenders, winner, None, test, metric, elsewhere=shifts)
    tracking.log_metrics(report.flat())
    tracking.log_run_metadata({"test": report.flat()}, to_model=True)
    for contender in contenders:
        with tracking.nested_run(contender.model.display_name()) as tracked:
            if tracked:
                tracking.log_line(f"{contender.model.display_name()} by itself, for MLflow")
                _log_candidate(contender, build_report([contender], 0, None, test, metric, FEW, elsewhere=shifts))
    return report


def _log_candidate(contender: Predictor, report: Report) -> None:
    """Log a candidate to its MLflow run: parameters, metrics, pictures and folder."""
    tracking.log_parameters({"kind": contender.model.kind(), **contender.model.model_dump(mode="json")})
    tracking.log_metrics(report.flat())
    with TemporaryDirectory() as place:
        for picture in PICTURES:
            (Path(place) / f"{picture.__name__}.png").write_bytes(png(picture(report), 80))
        tracking.log_files(Path(place), "pictures")
    with TemporaryDirectory() as place:
        contender.save(Path(place))
        tracking.log_files(Path(place), "predictor")
