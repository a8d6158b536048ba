"""The page of a generated data set: one file, valid, true to its figures, and nothing in it that others wrote runs."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from credence.generation.ledger import Ledger
from credence.generation.quality import plots
from credence.generation.quality.content_analysis import LabelLeakage
from credence.generation.quality.html_page import as_integer_text, key_figures, render, sample_texts, verdict_sentence
from credence.generation.quality.item_outcomes import CellCounts, ModelCounts
from credence.generation.quality.report import QualityReport, examine_generation
from credence.generation.quality.shortcut_test import OperandSummary, ShortcutResult
from credence.reporting import plot_style
from credence.reporting.proportion import proportion
from tests.support.quality_cases import ONE, STATEMENTS, Run, examples, many, statements

EVIL = '<script>alert("1")</script> & $\\frac{$ \U0001f680 \x07'
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Shape(HTMLParser):
    """Refuses tags that do not nest, and collects ids, headings and the names of figures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object", "img"), tag
        given = dict(attrs)
        assert not [a for a in given if a.startswith("on")] and (given.get("xlink:href") or "#").startswith("#")
        self.ids += [given["id"]] if given.get("id") else []
        self.labels += [given.get("aria-label") or ""] if tag == "svg" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def shape(page: str) -> Shape:
    found = Shape(page)
    assert found.open == [] and len(found.ids) == len(set(found.ids))
    assert not re.search(r"@import|url\((?!#)|src=|href=\"(?!#)", page)
    assert set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', page)) <= set(found.ids)
    declared = set(re.findall(r"(--\w+):", page))
    assert {f"--{v}" for v in re.findall(r"var\(--(\w+)\)", page)} <= declared
    return found


def words(page: str) -> str:
    """What a reader sees of it outside of figures, in one line."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", page, flags=re.S)).split())


def page_of(run: Run, title: str = "a title") -> str:
    with run.ledger as ledger:
        return render(examine_generation(ledger), title)


def lines(page: str) -> list[list[str]]:
    """The cells of every line of every table."""
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.S)
    return [[words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S)] for line in found]


def test_statements_have_their_page(tmp_path: Path) -> None:
    page = page_of(statements(tmp_path), "numbers")
    assert [label[:14] for label in shape(page).labels] == ["rows of every ", "share of mista", "calls by secon"]
    text = words(page)
    assert text.startswith("numbers: incomplete") and page.count("<h1>numbers</h1>") == 1
    assert "4 of 6 rows, 2 places given up, none wrong by the independent check, 0 exact duplicates; $0.505" in text
    assert "2 rows of 6 missing: 2 places given up, 0 still open." in text
    assert "0 of 4 differ from their label" in text and "agree" not in text
    assert "4 rows from 9 tries, 2.25 for each: 8 items read, of which 1 duplicate was replaced and 3 rejected" in text
    assert "1 try was lost with calls that failed" in text
    assert "Furthest from its quota is comparison, no: 1 of 2 rows." in text
    assert "1 duplicate is in nobody’s figures" in text


def test_its_tables_hold_the_figures(tmp_path: Path) -> None:
    found = lines(page_of(statements(tmp_path)))
    assert ["comparison", "yes", "2", "2", "0", "1", "1"] in found
    assert ["the model's own answer is wrong (answer)", "1", "8", "12.5 (2.2–47.1) %"] in found
    assert ["http", "1", "9", "11.1 (2.0–43.5) %"] in found
    assert ["a/x", "3", "2", "3", "1", "33.3 (6.1–79.2) %"] in found
    assert ["b/y", "4", "2", "3", "0", "0 (0–56.2) %"] in found
    assert ["comparison", "yes", "2", "4", "3", "6", "9"] in found
    assert ["http_503", "1", "20.0 (3.6–62.4) %"] in found
    assert ["a/x", "2", "2", "30", "3", "10", "5", "0.175", "0.287", "$0.005"] in found


def test_examples_are_said_to_be_weaker(tmp_path: Path) -> None:
    page = page_of(examples(tmp_path))
    shape(page)
    text = words(page)
    assert "No program can work out the label of these texts." in text and "This is weaker than a proof." in text
    assert "2 different models gave it the same label: the one that wrote it, and one more" in text
    assert "That is the case for 5 of 5 rows." in text and "independent check" not in text
    assert "examples was not tried: it has 3 labels, and the test is for two." in text
    assert "labels agreed on 5 by 2 models, of 5 rows" in text
    assert ["another model gave another label (disagreement)", "1", "8", "12.5 (2.2–47.1) %"] in lines(page)
    assert "models disagreed 14.3 % 1 of 7 checked" in text and "mistakes" not in text
    assert "High figures are expected here" in text


def test_a_whole_data_set_is_called_complete(tmp_path: Path) -> None:
    page = page_of(many(tmp_path))
    assert "Complete" in words(page) and "--promote" in page and 'class="list"' not in page
    assert "Every category and label holds exactly its quota." in words(page)
    assert "No item was rejected, and no try was lost with a call." in words(page)
    assert len(shape(page).labels) == 4 and "labels told by words in every category" in page
    assert sum(line[-2:] == ["70.0 %", ""] for line in lines(page)) == 1, "number_property may show in the last digit"


@pytest.fixture
def quality(tmp_path: Path) -> QualityReport:
    with many(tmp_path, 1).ledger as ledger:
        return examine_generation(ledger)


def told(*, flagged: bool, accuracy: float = 0.9) -> ShortcutResult:
    both = tuple(OperandSummary(label=x, texts=5, smallest=1, median=2, largest=3) for x in (False, True))
    return ShortcutResult(
        category="pattern",
        rows=200,
        accuracy=accuracy,
        low=accuracy - 0.1,
        high=1,
        control=0.5,
        permitted=0.5,
        flagged=flagged,
        operands=both,
    )


def test_the_headline_says_what_to_do(quality: QualityReport) -> None:
    assert verdict_sentence(quality) == ("promote", "Complete")
    flagged = quality.model_copy(update={"tells": LabelLeakage(tested=[told(flagged=True)], untested={})})
    assert verdict_sentence(flagged) == ("hold", "Words tell labels") and "surely above" in render(flagged, "x")
    fewer = flagged.items.model_copy(update={"rows": 7})
    assert verdict_sentence(flagged.model_copy(update={"items": fewer})) == ("hold", "Incomplete")
    wrong = quality.repeats.duplicates.model_copy(update={"count": 3})
    page = render(flagged.model_copy(update={"wrong": wrong}), "x")
    assert (
        "<h2>Do not use</h2>" in page and '<li class="error">3 rows of 8 wrong by the independent check.</li>' in page
    )


def test_what_words_may_tell_of_examples_is_not_limited(quality: QualityReport) -> None:
    found = LabelLeakage(tested=[told(flagged=False)], untested={})
    page = render(quality.model_copy(update={"tells": found, "writer": "examples", "wrong": None}), "x")
    assert ["pattern", "200", "90.0 (80.0–100.0)", "50.0 %", "all", ""] in lines(page)
    assert "what the category permits" not in page


def test_the_tiles_compare(quality: QualityReport, tmp_path: Path) -> None:
    assert key_figures(quality) == [
        ("rows", "8", "of 8 wanted, 0 given up"),
        ("wrong by the check", "0", "of 8 rows"),
        ("exact duplicates", "0", "of 8 rows"),
        ("rejected", "0 %", "0 of 8 items read"),
        ("models’ mistakes", "0 %", "0 of 8 checked"),
        ("spent", "$0.00", "1 call"),
    ]
    held = quality.expenses.model_copy(update={"held": 500_000_000, "kept": 2})
    page = render(quality.model_copy(update={"expenses": held}), "x")
    assert "$0.5 held" in words(page) and "2 answers of earlier runs were used again, and cost nothing." in words(page)


@pytest.mark.parametrize("quotas", [STATEMENTS, {}])
def test_nothing_yet_has_its_page(quotas: dict[str, dict[str, int]], tmp_path: Path) -> None:
    with Ledger(tmp_path, {"writer": "statements", "quotas": quotas}) as ledger:
        quality = examine_generation(ledger)
    assert set(sample_texts(quality)) == ({"places"} if quotas else set())
    page = render(quality, "nothing")
    shape(page)
    assert "No item of a model has been read yet." in page and "nan" not in words(page)


def test_what_others_wrote_is_shown_and_not_run(tmp_path: Path) -> None:
    run = Run(tmp_path, {EVIL: {EVIL: 1, f"{EVIL}2": 1}}, "examples")
    asked = run.call((EVIL, EVIL), "1", reason=EVIL, kind="http")
    run.refuse(run.slot(EVIL, EVIL), EVIL, asked)
    run.refuse(run.slot(EVIL, EVIL), "disagreement", asked)
    run.row(run.slot(EVIL, EVIL), f"{EVIL} 7", asked)
    page = page_of(run, EVIL)
    assert len(shape(page).labels) == 3 and "\U0001f680" in page
    assert page.count("&lt;script&gt;") >= 10


def test_many_places_and_models_are_cut_to_what_can_be_seen(quality: QualityReport) -> None:
    cells = [CellCounts(category=f"c{i:03}", label="yes", quota=9, committed=9 - (i == 77)) for i in range(200)]
    crowded = quality.model_copy(update={"items": quality.items.model_copy(update={"cells": cells})})
    page = render(crowded, "x")
    assert "The 24 furthest from theirs." in page and "c077 · yes" in page and "c150 · yes" not in page
    assert len(lines(page)) > 200, "the table holds all"
    authors = [quality.items.authors[0].model_copy(update={"model": f"p/{i:03}"}) for i in range(99)]
    assert len(plots.error_plot(authors, "mistakes").axes[0].get_yticklabels()) == plots.MAX_LINES


def test_figures_are_valid_and_the_same_every_time(tmp_path: Path) -> None:
    with statements(tmp_path).ledger as ledger:
        quality = examine_generation(ledger)
    figures = {
        "places": lambda: plots.category_plot(quality.items.cells),
        "errors": lambda: plots.error_plot(quality.items.authors, "mistakes"),
        "giveaways": lambda: plots.label_leakage_plot([told(flagged=True), told(flagged=False, accuracy=0.5)]),
        "latency": lambda: plots.latency_plot(quality.expenses.latency),
    }
    for name, draw in figures.items():
        first = plot_style.svg(draw(), name, "alt")
        ElementTree.fromstring(first)
        assert first == plot_style.svg(draw(), name, "alt")
        assert set(re.findall(r"#[0-9a-fA-F]{6}\b", first)) <= {"#000000", "#ffffff"}, "colours come from the page"


def test_a_model_without_a_rate_has_no_dot() -> None:
    figure = plots.error_plot([ModelCounts(model="m", read=1, accepted=0, errors=proportion(0, 0))], "mistakes")
    assert list(figure.axes[0].lines) == []


def test_numbers_of_texts_are_written_out_while_they_are_short() -> None:
    assert [as_integer_text(x) for x in (None, 0.0, 3.0, 2.5, 1234567.0, 1e300)] == [
        "–",
        "0",
        "3",
        "2.5",
        "1,234,567",
        "1e+300",
    ]


def test_it_was_asked_by_one_model(tmp_path: Path) -> None:
    """The words of a count follow its number."""
    run = Run(tmp_path, {"number_property": {"yes": 1}}, "statements")
    run.row(run.slot("number_property", "yes"), "8 is even", run.call(ONE, "1", reason="ok"))
    text = words(page_of(run))
    assert "1 row from 1 try, 1.00 for each: 1 item read" in text and "1 of 1 rows" in text
    assert "With every number masked, 1 form remains" in text and "1 call, 1.00 for each row" in text
