"""Write the report and the model card."""

from typing import Annotated

import pandas as pd
from zenml import step
from zenml.types import HTMLString, MarkdownString

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.data.checks import Findings
from credence.evaluation.explain import importance
from credence.evaluation.gate import Verdict
from credence.predictor import Predictor, TaskInfo
from credence.reporting.model_card import card_html, model_card
from credence.reporting.model_report.html_page import render
from credence.reporting.model_report.report import Report
from steps.shared import tracking


@step
def write_card(
    report: Report, verdict: Verdict, findings: Findings, predictor: Predictor, test: pd.DataFrame, task: TaskInfo
) -> tuple[Annotated[HTMLString, "page"], Annotated[MarkdownString, "model_card"]]:
    """Render the report as HTML and the model card as Markdown, for the dashboard and MLflow."""
    report = report.model_copy(update={"version": predictor.info.version})
    page = render(report, verdict, findings, task, importance(predictor, test))
    words = model_card(predictor, report, verdict, findings)
    tracking.log_text(page, "report.html")
    tracking.log_text(words, "card.md")
    tracking.log_text(card_html(words), "card.html")
    return HTMLString(page), MarkdownString(words)
