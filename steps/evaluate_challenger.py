"""Measure every contender on the test rows, with intervals."""

from typing import Annotated

import pandas as pd
from zenml import step

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.gate import Gate
from credence.predictor import Predictor
from credence.report import Report, build_report
from steps import record


@step
def evaluate_challenger(
    challenger: Predictor, contenders: list[Predictor], test: pd.DataFrame, gate: Gate
) -> Annotated[Report, "report"]:
    """The report: what the dashboard draws, what the card states and what MLflow keeps as figures."""
    winner = [p.digest() for p in contenders].index(challenger.digest())
    report = build_report(contenders, winner, None, test, gate)
    record.metrics(report.flat())
    record.facts({"test": report.flat()}, to_model=True)
    return report
