"""The model card: what a predictor is for, how good it is and where it ends (Mitchell et al. 2019)."""

import json
import shlex
import textwrap
from typing import Any

import markdown
import pandas as pd

from credence.data.checks import Findings
from credence.data.rows import raw_name
from credence.data.schema import Kind
from credence.evaluation.gate.verdict import Verdict
from credence.predictor import Predictor
from credence.reporting.html import cell, environment
from credence.reporting.model_report import Report
from credence.reporting.model_report.html_page import tables
from credence.reporting.model_report.sentences import calibrated, doubted, headline, missing, recalibrated, spent
from credence.statistics.metrics import METRICS

LONGEST_EXAMPLE = 160
MOST_NAMES = 40


def card(task: dict[str, Any], predictor: Predictor, report: Report, verdict: Verdict, findings: Findings) -> str:
    """The card in Markdown, with a YAML head as Hugging Face expects it."""
    return environment().get_template("card.md.j2").render(
        task=task, facts=predictor.facts, kind=predictor.model.title(), digest=predictor.digest(), report=report,
        verdict=verdict, findings=findings, headline=headline(verdict), calibrated=calibrated(report),
        doubt=doubted(report), recalibrated=recalibrated(report), seen=spent(verdict),
        tables=tables(report), metrics=METRICS, request=shlex.quote(example(predictor)),
        rivals=sum(c.role in ("winner", "candidate") for c in report.candidates), inputs=_inputs(predictor),
        hyperparameters=_code(json.dumps(predictor.model.model_dump(mode="json"))),
        missing=missing(findings),
    )  # fmt: skip


def html(text: str) -> str:
    """A card's Markdown, without its YAML head, as an HTML fragment."""
    _, _, body = text.removeprefix("---\n").partition("\n---\n")
    return str(markdown.markdown(body, extensions=["tables", "fenced_code"]))


def _inputs(predictor: Predictor) -> str:
    names = [_code(raw_name(name)) for name in predictor.facts.schema_.names()]
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _code(text: str) -> str:
    return f"`{cell(text)}`"


def example(predictor: Predictor) -> str:
    """One reference row as the JSON that `POST /predict` takes, with the columns' names in requests."""
    first, schema = predictor.reference.iloc[0], predictor.facts.schema_
    row = {raw_name(c.name): _plain(first[c.name], c.kind) for c in schema.columns}
    if schema.group:
        row[schema.group] = str(first["group"])
    return json.dumps(row, ensure_ascii=False)


def _plain(value: Any, kind: Kind) -> Any:
    if pd.isna(value):
        return None
    if kind == "number":
        return int(value) if float(value).is_integer() else float(f"{value:.6g}")
    if kind == "date":
        return pd.Timestamp(value).isoformat()
    return textwrap.shorten(str(value), LONGEST_EXAMPLE, placeholder="…")
