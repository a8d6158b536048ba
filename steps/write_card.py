"""The two pages that people read: the report and the model card."""

from typing import Annotated, Any

import pandas as pd
from zenml import step
from zenml.types import HTMLString, MarkdownString

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.card import card, html
from credence.checks import Findings
from credence.explain import importance
from credence.gate import Verdict
from credence.predictor import Predictor
from credence.report import Report
from credence.report.page import render
from steps import record


@step
def write_card(
    report: Report, verdict: Verdict, findings: Findings, predictor: Predictor, test: pd.DataFrame, task: dict[str, Any]
) -> tuple[Annotated[HTMLString, "page"], Annotated[MarkdownString, "card"]]:
    """The report as one HTML page and the model card as Markdown, in the dashboard and in MLflow."""
    report = report.model_copy(update={"version": predictor.facts.version})
    page = render(report, verdict, findings, task, importance(predictor, test))
    words = card(task, predictor, report, verdict, findings)
    record.text(page, "report.html")
    record.text(words, "card.md")
    record.text(html(words), "card.html")
    return HTMLString(page), MarkdownString(words)
