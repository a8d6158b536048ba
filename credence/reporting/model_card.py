"""The model card: purpose, quality and limits of a predictor (Mitchell et al. 2019)."""

import json
import shlex
import textwrap
from typing import Any

import markdown
import pandas as pd

from credence.data.checks import Findings
from credence.data.rows import original_name
from credence.data.schema import ColumnKind
from credence.evaluation.gate.verdict import Verdict
from credence.predictor import Predictor
from credence.reporting.html import markdown_cell, template_environment
from credence.reporting.model_report.html_page import report_tables
from credence.reporting.model_report.report import Report
from credence.reporting.model_report.sentences import (
    calibration_sentence,
    headline_sentence,
    missing_values_sentence,
    recalibration_sentence,
    uncertainty_sentence,
    usage_sentence,
)
from credence.statistics.metrics import METRICS

MAX_EXAMPLE_CHARACTERS = 160
MAX_NAMES = 40


def model_card(predictor: Predictor, report: Report, verdict: Verdict, findings: Findings) -> str:
    """The card in Markdown, with a YAML header in the format of the Hugging Face hub."""
    return (
        template_environment()
        .get_template("card.md.j2")
        .render(
            info=predictor.info,
            kind=predictor.model.display_name(),
            digest=predictor.digest(),
            report=report,
            verdict=verdict,
            findings=findings,
            headline=headline_sentence(verdict),
            calibrated=calibration_sentence(report),
            uncertain=uncertainty_sentence(report),
            recalibrated=recalibration_sentence(report),
            seen=usage_sentence(verdict),
            tables=report_tables(report),
            metrics=METRICS,
            request=shlex.quote(example_request(predictor)),
            rivals=sum(c.role in ("winner", "candidate") for c in report.candidates),
            inputs=_inputs(predictor),
            hyperparameters=_code(json.dumps(predictor.model.model_dump(mode="json"))),
            missing=missing_values_sentence(findings),
        )
    )


def card_html(text: str) -> str:
    """A card's Markdown as an HTML fragment, without its YAML header."""
    _, _, body = text.removeprefix("---\n").partition("\n---\n")
    return str(markdown.markdown(body, extensions=["tables", "fenced_code"]))


def _inputs(predictor: Predictor) -> str:
    names = [_code(original_name(name)) for name in predictor.info.schema_.names()]
    return ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")


def _code(text: str) -> str:
    return f"`{markdown_cell(text)}`"


def example_request(predictor: Predictor) -> str:
    """One reference row as the JSON body of `POST /predict`, under the raw column names."""
    first, schema = predictor.reference.iloc[0], predictor.info.schema_
    row = {original_name(c.name): _plain(first[c.name], c.kind) for c in schema.columns}
    if schema.group:
        row[schema.group] = str(first["group"])
    return json.dumps(row, ensure_ascii=False)


def _plain(value: Any, kind: ColumnKind) -> Any:
    if pd.isna(value):
        return None
    if kind == "number":
        return int(value) if float(value).is_integer() else float(f"{value:.6g}")
    if kind == "date":
        return pd.Timestamp(value).isoformat()
    return textwrap.shorten(str(value), MAX_EXAMPLE_CHARACTERS, placeholder="…")
