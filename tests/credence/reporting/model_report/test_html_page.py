"""The page is one file, valid, readable by machines that read aloud, and escapes what users wrote."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from credence.data.checks import Finding, Findings
from credence.evaluation.explain import importance
from credence.evaluation.gate.guards import Guard
from credence.reporting import plot_style
from credence.reporting.model_report import build_report, plots
from credence.reporting.model_report.html_page import key_figures, render, report_figures, report_tables
from credence.reporting.model_report.sentences import (
    calibration_sentence,
    headline_sentence,
    recalibration_sentence,
    uncertainty_sentence,
    usage_sentence,
)
from tests.support.evaluation_cases import TASK, findings, part, predictor, report, verdict

VOID = {"meta", "br", "hr", "img", "link", "input"}
FIGURES = {
    "candidates",
    "roc",
    "precision_recall",
    "histogram",
    "reliability",
    "confusion",
    "risk_coverage",
    "review",
    "net_benefit",
    "groups",
    "importance",
    "parts",
}


class Reader(HTMLParser):
    """Checks that tags nest, and collects ids, headings and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [v for k, v in attrs if k == "id" and v]
        self.addresses += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v]
        self.labels += [given.get("aria-label") or ""] if tag == "svg" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


@pytest.fixture(scope="module")
def page() -> str:
    found = importance(predictor("logistic"), part("test"))
    return render(report(), verdict(), findings(), TASK, found)


def test_tags_nest_and_ids_are_unique(page: str) -> None:
    reader = Reader(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))


def test_it_needs_no_network_and_no_script(page: str) -> None:
    assert all(a.startswith("#") for a in Reader(page).addresses)
    assert "<script" not in page
    assert not re.search(r"@import|url\((?!#)", page)
    assert len(page.encode()) < 1_500_000


def test_every_reference_inside_a_figure_is_there(page: str) -> None:
    wanted = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', page))
    assert wanted <= set(Reader(page).ids)


def test_every_figure_has_a_sentence_and_a_text_for_those_who_do_not_see_it(page: str) -> None:
    labels = Reader(page).labels
    assert len(labels) == len(FIGURES) == page.count("<figcaption>")
    assert all(len(label) > 20 for label in labels)


def test_the_verdict_comes_first(page: str) -> None:
    body = page[page.index("<body>") :]
    assert body.index("Surely better than the share of yes.") < body.index("<h2>Candidates</h2>")


def test_figures_take_their_colours_from_the_page(page: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", page, re.S))
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", drawn)) <= {"#000000", "#ffffff"}
    assert {"var(--yes)", "var(--ink)", "var(--muted)"} <= set(re.findall(r"var\(--\w+\)", drawn))
    declared = set(re.findall(r"(--\w+):", page))
    assert {f"--{v}" for v in re.findall(r"var\(--(\w+)\)", page)} <= declared


def test_what_users_wrote_is_escaped() -> None:
    nasty = '<script>alert(1)</script> & "quotes" $x_1$'
    wild = report().model_copy(update={"question": nasty, "answers": ("<no>", nasty)})
    odd = Findings(findings=[Finding(level="warning", check="x", message=nasty)], missing={nasty: 0.5, "y": 0.0})
    page = render(wild, verdict(reason=nasty), odd, TASK.model_copy(update={"question": nasty}))
    assert "<script" not in page
    assert Reader(page).open == []
    assert page.count("&lt;script&gt;") >= 4


def test_a_report_without_groups_importance_or_missing_values_is_whole() -> None:
    rows = part("test").assign(group="all")
    plain = build_report([predictor("logistic", folds=1)], 0, None, rows, "accuracy", resamples=50)
    page = render(plain, verdict(guards=[]), Findings(findings=[], missing={}), TASK)
    assert set(report_figures(plain, None)) == FIGURES - {"groups", "importance", "parts"}
    assert "<h2>Groups</h2>" not in page
    assert "<h2>Importance</h2>" not in page
    assert "The checks found nothing." in page
    assert Reader(page).open == []


@pytest.mark.parametrize("outcome", ["promote", "keep", "hold"])
def test_the_headline_says_what_happened(outcome: str) -> None:
    some = verdict(outcome=outcome, guards=[Guard(name="x", ok=False, message="Too slow.")])
    page = render(report(), some, findings(), TASK)
    assert headline_sentence(some) in page
    assert '<li class="failed">Too slow.</li>' in page


def test_the_champion_stays_only_where_there_is_one() -> None:
    assert headline_sentence(verdict(outcome="keep")) == "Not promoted"
    assert headline_sentence(verdict(outcome="keep", champion=verdict().challenger)) == "The champion stays"


def test_sentences_follow_the_figures() -> None:
    found = report()
    high = found.calibration.chance.model_copy(update={"high": 1.0})
    low = found.calibration.chance.model_copy(update={"high": 0.0})
    for chance, word in ((high, "within"), (low, "above")):
        moved = found.model_copy(update={"calibration": found.calibration.model_copy(update={"chance": chance})})
        assert f" is {word} the chance level" in calibration_sentence(moved)
    assert "disagreement between 5 draws" in uncertainty_sentence(found)
    flawless = found.operating.model_copy(update={"false_yes": 0, "false_no": 0})
    assert uncertainty_sentence(found.model_copy(update={"operating": flawless})).startswith("No answer of ")
    assert recalibration_sentence(found).startswith("Calibration ")
    assert "no comparison with" in usage_sentence(verdict())
    assert "served 1 comparison with" in usage_sentence(verdict(looks=1))
    assert "12 comparisons with" in usage_sentence(verdict(looks=12))


def test_tiles_compare_and_tables_have_titles() -> None:
    found = report()
    assert [t[0] for t in key_figures(found)][:2] == ["accuracy", "AUROC"]
    assert len(key_figures(found.model_copy(update={"metric": "auroc"}))) == len(key_figures(found)) - 1
    assert set(report_tables(found)) == {"scores", "rates", "calibration", "brier"}


@pytest.mark.parametrize("name", sorted(FIGURES - {"importance", "parts"}))
def test_every_figure_is_svg_and_png(name: str) -> None:
    figure: Figure = getattr(plots, f"{name}_plot")(report())
    first = plot_style.svg(figure, name, "<alt> & text")
    assert first == plot_style.svg(getattr(plots, f"{name}_plot")(report()), name, "<alt> & text")
    ElementTree.fromstring(first)
    assert plot_style.png(figure, 40).startswith(b"\x89PNG")


def test_names_that_look_like_formulas_are_drawn_as_they_are() -> None:
    drawn = report_figures(report().model_copy(update={"answers": (r"$\frac{$", "$5 to $10")}), None)
    assert "$5 to $10" in drawn["confusion"] and r"$\frac{$" in drawn["confusion"]
