"""Checks: every finding appears when it should, and ordinary rows raise none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.data.checks import Checks, Finding, Findings, check_rows, single_column_auroc
from credence.data.identifiers import looks_like_id
from credence.data.rows import Columns, to_canonical_rows
from credence.data.sources.csv import Csv
from credence.data.split import Split, assign_parts

RNG = np.random.default_rng(3)


def ordinary(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """Raw rows in which two columns help a little and nothing is odd."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.normal(size=n)
    town = rng.choice(["Bonn", "Kiel", "Ulm"], n)
    y = (x + 0.5 * z + rng.normal(size=n) * 1.5 + (town == "Ulm") > 0).astype(int)
    return pd.DataFrame({"x": x, "z": z, "town": town, "y": y})


def found(raw: pd.DataFrame, split: Split = Split(), checks: Checks = Checks(), **columns: Any) -> Findings:  # noqa: B008
    rows = to_canonical_rows(raw, Columns(**{"label": "y", "positive": 1, **columns}), split.split_columns())
    return check_rows(rows, assign_parts(rows, split), checks)


def only(findings: Findings, check: str) -> Finding:
    """The one finding of that check."""
    [finding] = [f for f in findings.findings if f.check == check]
    return finding


def test_ordinary_rows_raise_nothing() -> None:
    findings = found(ordinary())
    assert findings.findings == []
    assert findings.missing == {"x": 0.0, "z": 0.0, "town": 0.0}
    assert list(findings.table()) == ["level", "check", "message", "columns"]


def test_repeated_rows_are_counted_and_grave_when_many() -> None:
    raw = ordinary()
    few = only(found(pd.concat([raw, raw[:5]])), "repeated rows")
    assert (few.level, few.message) == ("note", "5 of 605 rows repeat an earlier row, inputs and answer alike.")
    assert only(found(pd.concat([raw, raw])), "repeated rows").level == "warning"


def test_one_input_with_both_answers_is_a_contradiction() -> None:
    raw = ordinary()
    torn = raw[:7].assign(y=1 - raw["y"][:7])
    findings = found(pd.concat([raw, torn]))
    assert only(findings, "contradictions").message.startswith("14 of 607 rows")
    assert "repeated rows" not in {f.check for f in findings.findings}


def test_shared_ids_are_shown() -> None:
    raw = ordinary().assign(id=[f"r{max(i, 1)}" for i in range(600)])
    assert (
        "2 of 600 rows share their id with a row of other content: 'r1'" in only(found(raw, row_id="id"), "ids").message
    )


def test_groups_with_one_answer_are_listed() -> None:
    raw = ordinary()
    raw["clinic"] = np.where(raw.index < 9, "east", "west")
    raw.loc[:8, "y"] = 1
    assert only(found(raw, group="clinic"), "groups").message == "1 of 2 groups hold one answer only: east."


def test_constant_empty_and_id_like_columns_are_named() -> None:
    raw = ordinary().assign(unit="cm", gone=None, mostly=[1.5 if i % 3 == 0 else None for i in range(600)])
    raw["customer_id"] = RNG.permutation(10**6)[:600]
    findings = found(raw)
    by_column = {f.columns[0]: f.check for f in findings.findings}
    assert by_column == {"unit": "constant", "gone": "constant", "mostly": "missing", "customer_id": "id-like"}
    assert findings.missing["gone"] == 1.0
    assert findings.missing["mostly"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("form", ["copy", "inverse", "words", "middle", "dates", "gaps"])
def test_a_column_that_gives_the_answer_away_is_an_error(form: str) -> None:
    raw = ordinary()
    y = raw["y"]
    raw["told"] = {
        "copy": y,
        "inverse": 5 - 3.0 * y,
        "words": y.map({0: "refused", 1: "granted"}),
        "middle": np.where(y == 1, RNG.uniform(-1, 1, 600), RNG.choice([-1, 1], 600) * RNG.uniform(1.1, 3, 600)),
        "dates": pd.Timestamp("2024-01-01") + pd.to_timedelta(y * 400 + RNG.integers(0, 300, 600), unit="D"),
        "gaps": y.where(y == 1),
    }[form]
    finding = only(found(raw), "leak")
    assert (finding.level, finding.columns) == ("error", ["told"])
    assert "AUROC 1.000" in finding.message


def test_a_near_leak_is_a_warning_and_thresholds_move_it() -> None:
    raw = ordinary(3000)
    flipped = np.random.default_rng(1).random(3000) < 0.01
    raw["nearly"] = np.where(flipped, 1 - raw["y"], raw["y"])
    assert only(found(raw), "leak").level == "warning"
    assert only(found(raw, checks=Checks(leak=0.95)), "leak").level == "error"
    assert found(raw, checks=Checks(suspect=0.999)).findings == []


def test_a_strong_but_honest_column_is_no_leak() -> None:
    raw = ordinary(3000)
    raw["strong"] = raw["y"] * 1.5 + np.random.default_rng(2).normal(size=3000)
    assert found(raw).findings == []


def test_many_categories_do_not_look_like_a_leak() -> None:
    """A mean per category learned and scored on the same rows would be perfect here."""
    raw = ordinary().assign(name=[f"n{i // 2}" for i in range(600)])
    assert "leak" not in {f.check for f in found(raw).findings}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_noise_alone_tells_nothing(seed: int, words: bool) -> None:
    rng = np.random.default_rng(seed)
    label = pd.Series(rng.integers(0, 2, 2000))
    values = pd.Series(rng.integers(0, 30, 2000))
    fit = pd.Series(rng.random(2000) < 0.6)
    assert (
        abs(single_column_auroc(values.astype(str).astype(object) if words else values.astype(float), label, fit) - 0.5)
        < 0.12
    )


def test_content_on_both_sides_of_the_split_is_leakage() -> None:
    raw = ordinary().assign(id=range(600), where=np.where(np.arange(600) < 480, "train", "test"))
    raw.loc[590:, ["x", "z", "town", "y"]] = raw.loc[:9, ["x", "z", "town", "y"]].to_numpy()
    finding = only(found(raw, Split(column="where"), row_id="id", ignore=[]), "leakage")
    assert finding.message == "10 of 120 test rows have the content of a row outside the test part."


def test_a_key_on_both_sides_is_said() -> None:
    raw = ordinary().assign(patient=[f"p{i % 500}" for i in range(600)], where=["train"] * 450 + ["test"] * 150)
    finding = only(found(raw, Split(column="where", key="patient")), "split keys")
    assert finding.message == "100 of 150 test rows have the key of a row outside the test part."
    assert "split keys" not in {f.check for f in found(raw.drop(columns="where"), Split(key="patient")).findings}


def test_small_parts_are_called_small() -> None:
    checks = {f.message for f in found(ordinary(120)).findings if f.check == "small part"}
    assert len(checks) == 2
    assert found(ordinary(120), checks=Checks(small=10)).findings == []


def test_empty_and_endless_texts_are_counted() -> None:
    raw = pd.DataFrame({"t": [f"text number {i}" for i in range(400)], "y": [i % 2 for i in range(400)]})
    raw.loc[0, "t"], raw.loc[1, "t"], raw.loc[2, "t"] = " ", "word " * 5000, None
    findings = found(raw, text="t")
    assert only(findings, "empty text").message == "2 of 400 texts are empty."
    assert "1 of 400 texts are longer than 20,000 characters (at most 25,000)" in only(findings, "long text").message


def test_the_gravest_stand_first() -> None:
    raw = ordinary().assign(unit="cm", told=lambda t: t["y"])
    raw = pd.concat([raw, raw[:3].assign(y=lambda t: 1 - t["y"])])
    levels = list(found(raw).table()["level"])
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert len(set(levels)) == 3


def test_hopeless_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no input column varies"):
        found(pd.DataFrame({"a": 1, "b": "x", "id": range(400), "y": [i % 2 for i in range(400)]}), row_id="id")
    empty = pd.DataFrame({"t": "", "id": range(400), "y": [i % 2 for i in range(400)]})
    with pytest.raises(InputError, match="every text is empty"):
        found(empty, text="t", row_id="id")


@pytest.mark.parametrize(
    ("name", "values", "id_"),
    [
        ("CustomerId", [x * 7919 % 10007 for x in range(1, 50)], True),
        ("row_number", [3 * x for x in range(50)], True),
        ("anything", list(range(50)), True),
        ("anything", list(range(50, 0, -1)), True),
        ("Unnamed: 0", list(range(9, 60)), True),
        ("code", [f"x{i}" for i in range(50)], True),
        ("url", [f"http://a.b/{i}" for i in range(50)], True),
        ("patientID", [i // 3 for i in range(60)], False),
        ("age", [20 + i for i in range(50)], False),
        ("width", [i * 0.5 for i in range(50)], False),
        ("video", [i * 3 for i in range(50)], False),
        ("idea", [f"{i % 9}" for i in range(50)], False),
        ("n", [1, 2, 3], False),
        ("number_of_rooms", list(range(30, 80)), False),
        ("column_1", [842302 + 17 * i for i in range(50)], True),
        ("column_2", [842302 + 17 * i for i in range(50)], False),
        ("review", [f"a text of more than five words, number {i}" for i in range(50)], False),
    ],
)
def test_ids_are_told_from_measurements(name: str, values: list[Any], id_: bool) -> None:
    assert (looks_like_id(name, pd.Series(values)) is not None) is id_


def test_real_rows_give_the_figures_known_of_them(shared_data: Any) -> None:
    rows = to_canonical_rows(Csv(path=shared_data / "adult" / "adult.data").read(), Columns(label="Y", positive=">50K"))
    findings = check_rows(rows, assign_parts(rows, Split()), Checks())
    assert only(findings, "repeated rows").message.startswith("24 of 32,561 rows")
    assert findings.missing["workclass"] == pytest.approx(1836 / 32561)
    assert {f.check for f in findings.findings} == {"repeated rows", "contradictions"}
