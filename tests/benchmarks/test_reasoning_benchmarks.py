"""The benchmark of statements: fair parts, larger numbers that are larger, intervals that hold what they should."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.reasoning import (
    BEGIN,
    END,
    PAGE,
    RESAMPLES,
    SPECS,
    family,
    learned,
    over_seeds,
    samples,
    tables,
    told_apart,
)
from benchmarks.statements import FARTHER, by_size, cell, dealt, enough, statements
from credence.core.errors import InputError
from credence.generation.arithmetic import CATEGORIES, check_statement
from tests.support.project_copy import ROOT

TINY: dict[str, Any] = {"kind": "relations", "epochs": 8, "members": 2, "width": 16, "batch_rows": 64}


def test_statements_are_balanced_distinct_and_labelled_as_the_checker_says() -> None:
    rows = statements(seed=1, rows=400)
    assert set(rows.groupby(["group", "label"]).size()) == {50}
    assert rows["text"].is_unique
    checked = [check_statement(text) for text in rows["text"]]
    assert [int(c.truth) for c in checked if c] == rows["label"].tolist()


def test_small_numbers_are_used_up_before_any_is_larger() -> None:
    rows = statements(seed=1, rows=8 * 150, largest=300)
    assert set(rows.groupby(["group", "label"]).size()) == {150} and rows["text"].is_unique
    assert max(map(_largest, rows["text"])) <= 300
    checked = [check_statement(text) for text in rows["text"]]
    assert [int(c.truth) for c in checked if c] == rows["label"].tolist()
    with pytest.raises(InputError, match="there are only 0 statements of number_property with numbers up to 99"):
        next(cell(1, "number_property", True, largest=99))


def test_seeds_deal_other_statements() -> None:
    one, other = (
        {next(rows)["question"] for _ in range(200)} for rows in (cell(s, "comparison", True) for s in (0, 1))
    )
    assert len(one & other) < 20


def test_parts_share_no_row_and_keep_the_balance() -> None:
    parts = dealt(statements(seed=2, rows=enough(640)), 640)
    assert [len(part) for part in parts] == [640, 80, 160]
    for part in parts:
        assert part.groupby(["group", "label"]).size().nunique() == 1
    assert not set(parts.train["row_id"]) & set(parts.test["row_id"])


def test_larger_numbers_are_larger_than_any_learned_of_their_form() -> None:
    near, far = by_size(seed=3, train=400)
    assert len(near.train) == 400
    form = [re.sub("[0-9]+", "#", text) for text in near.train["text"]]
    limit = pd.Series([_largest(text) for text in near.train["text"]]).groupby(form).max()
    far = far.assign(form=[re.sub("[0-9]+", "#", text) for text in far["text"]])
    known = far[far["form"].isin(limit.index)]
    times = np.array([_largest(t) / limit[f] for t, f in zip(known["text"], known["form"], strict=True)])
    assert len(known) > 80
    assert (times > 1).all()
    assert np.median(times) < FARTHER


def _largest(text: str) -> float:
    return max(map(float, re.findall(r"[0-9]+(?:\.[0-9]+)?", text)))


def test_intervals_hold_the_mean_and_widen_with_what_seeds_disagree_about() -> None:
    rng = np.random.default_rng(0)
    alike = [{"accuracy": 0.9 + 0.01 * rng.normal(size=1 + RESAMPLES)} for _ in range(3)]
    apart = [{"accuracy": f["accuracy"] + shift} for f, shift in zip(alike, (-0.2, 0, 0.2), strict=True)]
    (mean, low, high), (_, lower, higher) = (over_seeds(f)["accuracy"] for f in (alike, apart))
    assert low < mean < high
    assert higher - lower > 5 * (high - low)


def test_a_family_that_was_left_out_is_asked_about_alone() -> None:
    parts = dealt(statements(seed=4, rows=enough(640)), 640)
    found, apart = family(TINY, 0, parts, "pattern")
    assert set(found) == {"accuracy", "log_loss", "ece", "pattern"}
    assert all(len(values) == 1 + RESAMPLES for values in found.values())
    assert found["accuracy"][0] == found["pattern"][0]
    assert 0 <= apart["auroc"] <= 1
    assert apart["flagged"] > 0.9 > 0.1 > apart["flagged_usual"]


def test_one_draw_has_no_disagreement() -> None:
    parts = dealt(statements(seed=5, rows=enough(320)), 320)
    predictor = learned({**TINY, "members": 1}, 0, parts)
    assert np.isnan(told_apart(predictor, parts.test, parts.test)["disagreement"])
    assert set(CATEGORIES) < set(samples(predictor, parts.test, 0))


@pytest.mark.parametrize("missing", [[], ["tfidf"]])
def test_tables_show_the_kinds_that_were_measured(missing: list[str]) -> None:
    interval = [0.5, 0.25, 1.0]
    plain = dict.fromkeys(("accuracy", "log_loss", "ece", "near", *CATEGORIES), interval)
    apart = {"auroc": 0.5, "disagreement": float("nan"), "flagged": 0.5, "flagged_usual": 0.0}
    figures = {
        "seconds": 1.0,
        "plain": plain,
        "far": plain,
        "far_apart": apart,
        "families": dict.fromkeys(CATEGORIES, plain),
        "families_apart": dict.fromkeys(CATEGORIES, apart),
    }
    shown = tables({kind: figures for kind in SPECS if kind not in missing})
    kinds = [line.split("|")[1].strip() for line in shown.splitlines() if line.startswith("|") and "---" not in line]
    assert [kind for kind in kinds if kind] == [kind for kind in SPECS if kind not in missing] * 5
    assert ".500 (.250–1.000)" in shown
    assert "| 0.50 / – |" in shown
    partly = tables({"tfidf": figures, "relations": {"seconds": 1.0, "plain": plain}})
    assert (partly.count("| tfidf |"), partly.count("| relations |")) == (5, 2)
    assert tables({"relations": {"seconds": 1.0, "plain": plain}}).count("| --- |") == 2


def test_the_page_has_a_place_for_the_figures() -> None:
    page = (ROOT / PAGE).read_text()
    assert page.count(BEGIN) == page.count(END.strip()) == 1
