"""The pages: ours says all that was found, Evidently's shows the same rows; neither needs the network."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from credence.production.monitoring import Monitoring
from credence.production.monitoring.evidently import evidently_html
from credence.production.monitoring.html_page import render_monitoring
from credence.production.monitoring.run import monitor_window
from tests.support.monitoring_cases import logged, said, shown, table, texts, watched

ROOT = Path(__file__).parents[4]
EVIL = "<script>alert(1)</script>"
OFFLINE = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
import pandas as pd
from credence.production.monitoring.evidently import evidently_html
from credence.data.schema import Schema
rows = pd.DataFrame({"text": ["a fine parcel. it came", "an awful one!", "very big"] * 20})
page = evidently_html(rows, rows, Schema.learn(rows))
assert "text: words" in page, "descriptors are missing"
"""


class Balanced(HTMLParser):
    """Refuses tags that are not closed in order."""

    void = {"meta", "br", "img", "hr", "link", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shape(page: str) -> None:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"<script|<link|src=|url\((?!#)|@import", page)


def moved(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(age=rows["age"] + 10.0)


def test_drift_stands_first_with_what_moved() -> None:
    health = said(moved(table()))
    page = render_monitoring(health)
    shape(page)
    assert page.index(">Drift<") < page.index(health.reason) < page.index(">Columns<")
    lines = re.findall(r'<tr(?: class="winner")?><th scope="row">([^<]+?)\s*<', page)
    assert lines[0] == "age" and {"dose, mg", "key", "probability"} <= set(lines)
    assert page.count(health.reason) == 1, "the reason stands once"
    assert page.count('class="before"') == page.count('class="now"') > 50
    assert "reliability of the labelled rows" in page and "north" in page


@pytest.mark.parametrize("labelled", [True, False])
def test_a_quiet_window_has_its_page(labelled: bool) -> None:
    window = logged(watched(), table(), **({} if labelled else {"truth": np.nan, "latency_ms": np.nan}))
    page = render_monitoring(monitor_window(watched(), window, Monitoring(), test=shown(watched(), table(400, 9))))
    shape(page)
    assert ">Quiet<" in page and ("No label has arrived" in page) is not labelled


def test_texts_and_tiny_windows_have_their_page() -> None:
    page = render_monitoring(said(texts(), watched("tfidf")))
    shape(page)
    assert "share of unknown words" in page and "wording" in page
    shape(render_monitoring(said(table(40, 2).head(1))))


def test_what_comes_from_outside_is_escaped() -> None:
    rows = table().assign(key_=EVIL)
    page = render_monitoring(said(rows))
    assert "&lt;script&gt;" in page and EVIL not in page


def test_evidently_shows_the_same_columns() -> None:
    predictor = watched()
    now = predictor.info.schema_.select(moved(table(200))).assign(probability=0.5)
    before = predictor.reference.assign(probability=0.4).assign(empty=np.nan)
    page = evidently_html(before, now.assign(**{"first seen": pd.NaT}), predictor.info.schema_)
    assert page.lstrip().lower().startswith("<!doctype html>")
    for name in ("age", "dose, mg", "key", "probability"):
        assert name in page
    assert "first seen" not in page, "nothing can be compared with an empty column"


def test_evidently_asks_nobody() -> None:
    """Neither for word lists nor to tell of its use."""
    place = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", OFFLINE], env=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_dates_are_shown_as_days() -> None:
    assert re.search(r"2023-\d\d-\d\d \(2023-\d\d-\d\d–202\d-\d\d-\d\d\)", render_monitoring(said(table(300, 4))))
