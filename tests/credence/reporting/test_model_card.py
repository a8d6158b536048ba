"""The whole card against a pattern of it, and its parts against what they claim."""

import json
import re
import shlex

import pytest
import yaml

from credence.data.checks import Finding, Findings
from credence.reporting.model_card import card_html, example_request, model_card
from credence.reporting.model_report import build_report
from tests.support.evaluation_cases import findings, part, predictor, report, text_predictor, verdict

N = r"−?(?:[\d,]+(?:\.\d+)?(?:e−\d+)?|–)"
SPAN = rf"(?:{N} to {N}|–)"
SPREAD = rf"{N} \({N}–{N}\)"
LINE = rf"\| [^|]+ \| {N} \| {SPAN} \| {N} \|\n"
SPENT = r"These test rows have served no comparison .+ in accuracy under 0\.057 would usually go unnoticed .+"
RIVAL = rf"\| \w+(?: \((?:winner|champion)\))? \| {SPREAD} \| {SPREAD} \| {N} \| {N} \|\n"
TABLE = rf"\| \| value \| 95 % interval \| rows \|\n\|---\|--:\|--:\|--:\|\n(?:{LINE})+"
PATTERN = rf"""---
tags: \[binary-classification, calibrated, credence\]
pipeline_tag: tabular-classification
model_name: "[^"]+"
---

# Will it be repaid\?

\*\*Promoted\.\*\* Surely better than the share of yes\.

## What it is for

It answers \*Will it be repaid\?\* with \*\*yes\*\* or \*\*no\*\* .+ from a probability of {N} on\.

Do not use it on other populations.+

## Data

\| \| \|
\|---\|---\|
\| training rows \| {N}, {N} % yes \|
\| test rows \| {N}, {N} % yes \|
\| inputs \| 5 columns: `income`, `debt`, `home`, `label`, `branch` \|
\| groups \| by branch \|
\| missing in debt \| {N} % \|

- warning: Two rows share an id\.

## How it was chosen

2 candidates were trained .+ \*\*logistic\*\*, .+

\| candidate \| accuracy \| log-loss \| AUROC \| ECE \|
\|---\|--:\|--:\|--:\|--:\|
(?:{RIVAL})+\| share of yes \(constant\) \| {SPREAD} \| {SPREAD} \| {N} \| {N} \|

- passed: Sets hold the truth as often as promised\.

## Figures

On {N} test rows; intervals are 95 % intervals of 200 bootstrap resamples\.

{TABLE}
At the threshold {N}, with {N} true and {N} false yes, {N} true and {N} false no:

{TABLE}
## Calibration

The calibration error of {N} is (?:within|above) the chance level.+

{TABLE}
## Groups

\| group \| rows \| accuracy \| log-loss \|
\|---\|--:\|--:\|--:\|
(?:\| (?:north|south)(?: \(few rows\))? \| {N} \| {SPREAD} \| {SPREAD} \|\n)+
## Limits

- {N} answers? of {N} (?:is|are) wrong\. .+
- It abstains .+ promised\.
- {SPENT}

## How to ask it

```bash
curl -X POST http://localhost:3000/predict -H 'Content-Type: application/json' -d '.+'
```

## Provenance

\| \| \|
\|---\|---\|
\| version \| [^|]+ \|
\| digest \| `[0-9a-f]{{16}}` \|
\| kind \| `logistic` `{{.+}}` \|
\| calibration \| slope {N}, shift {N} \|
\| fitted in \| {N} s \|
"""


@pytest.fixture(scope="module")
def text() -> str:
    odd = Finding(level="warning", check="ids", message="Two rows share an id.")
    told = findings().model_copy(update={"findings": [odd]})
    return model_card(predictor("logistic"), report(), verdict(), told)


def test_the_whole_card(text: str) -> None:
    sections, wanted = text.split("\n## "), PATTERN.split("\n## ")
    for section, pattern in zip(sections, wanted, strict=True):
        assert re.fullmatch(pattern.strip() + r"\n*", section.strip() + "\n"), section


def test_its_head_is_yaml_and_its_body_becomes_html(text: str) -> None:
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["model_name"] == predictor("logistic").info.version
    body = card_html(text)
    assert body.startswith("<h1>Will it be repaid?</h1>")
    assert "pipeline_tag" not in body
    assert body.count("<table>") == 7


def test_the_call_sends_one_row_that_the_predictor_can_answer(text: str) -> None:
    (call,) = re.findall(r"curl .+", text)
    row = json.loads(shlex.split(call)[-1])
    assert set(row) == {"income", "debt", "home", "label", "branch"}
    assert row == json.loads(example_request(predictor("logistic")))
    assert row["home"] in ("rents", "owns|partly")


def test_a_quote_in_a_text_does_not_end_the_call() -> None:
    best, rows = text_predictor()
    best.reference.loc[0, "text"] = 'it\'s "awful"\nreally ' + "long " * 80
    one = build_report([best], 0, None, rows, "accuracy", resamples=50)
    found = model_card(best, one, verdict(), Findings(findings=[], missing={}))
    row = json.loads(shlex.split(re.findall(r"curl .+", found)[0])[-1])
    assert row["text"].startswith('it\'s "awful" really long')
    assert len(row["text"]) <= 160
    assert "pipeline_tag: text-classification" in found
    assert "## Groups" not in found
    assert "The checks found nothing." in found


def test_a_failed_guard_and_a_champion_that_stays_are_told() -> None:
    failed = [verdict().guards[0].model_copy(update={"ok": False})]
    changed = verdict(outcome="keep", champion=verdict().challenger, guards=failed, looks=3)
    found = model_card(predictor("logistic"), report(), changed, findings())
    assert "**The champion stays.**" in found
    assert "- **failed**: Sets hold" in found
    assert "served 3 comparisons with" in found


def test_a_pipe_in_a_name_does_not_break_a_table() -> None:
    group = report().groups[0].model_copy(update={"name": "a|b\nc"})
    odd = report().model_copy(update={"groups": [group]})
    assert "| a\\|b c | " in model_card(predictor("logistic"), odd, verdict(), findings())


def test_every_figure_of_the_card_is_in_the_report(text: str) -> None:
    for title, key in (("AUROC", "auroc"), ("log-loss", "log_loss")):
        m = report().scores[key]
        assert m.value is not None
        assert f"| {title} | {m.value:.3f} | {m.interval()} | {part('test').shape[0]} |" in text
