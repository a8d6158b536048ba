"""Personal data: every kind is found wherever it stands, ordinary data raise nothing, and no value is ever repeated."""

import logging
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.data.checks import Checks, check_rows
from credence.data.pii_scan import PiiReport, scan_rows
from credence.data.rows import Columns, to_canonical_rows
from credence.data.split import Split, assign_parts
from credence.security.pii.detect import pii_kinds_of_column

EXAMPLES = {
    "email": ["ann.lee+x@mail.example.org", "write to O'Neil@EXAMPLE.com, please", "<bob@a-b.co.uk>"],
    "phone": [
        "+49 30 901820",
        "call 0044 20 7946 0958 now",
        "(212) 736-5000",
        "212-736-5000",
        "1-800-253-0000",
        "08000930705",
        "+1 (650) 253-0000",
    ],
    "credit_card": [
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
        "paid with 6011111111111117.",
        "3782 822463 10005",
    ],
    "iban": ["DE89 3704 0044 0532 0130 00", "to GB29NWBK60161331926819, today", "NO93 8601 1117 947"],
    "us_ssn": ["536-90-4399", "ssn: 536-90-4399."],
    "national_id": [
        "12345678Z",
        "X1234567L",
        "RSSMRA85T10A562S",
        "2 95 10 99 126 111 93",
        "11010519491231002X",
        "390.533.447-05",
        "131052-308T",
        "BOXW310820HNERXN09",
    ],
    "ip_address": ["from 81.2.69.142 today", "2a00:1450:4001:81b::200e", "192.168.17.31"],
    "login": ["postgresql://ann:s3cret@db.example.org/x", "see https://u:p%40ss@example.org"],
}
INNOCENT = [
    "version 1.2.3.4",
    "at 12:30:45",
    "2024-01-31 12:30:00",
    "2024-01-31T12:30:00.123456+01:00",
    "3.14159265358979",
    "0.123456789012",
    "1,234,567,890",
    "page 123-125",
    "ISBN 978-3-16-148410-0",
    "@ann and @bob",
    "a@b",
    "x::y",
    "4111111111111112",
    "DE89 3704 0044 0532 0130 01",
    "000-12-3456",
    "12345678A",
    "fe80",
    "std::vector::size",
    "550e8400-e29b-41d4-a716-446655440000",
    "http://example.org:8080/a",
    "00:1B:44:11:3A:B7",
    "10:20:30:40",
    "127.0.0.1",
    "1995-2004, 2010-2015",
    "37 degrees, 120/80, 98 %",
    "$ 1 234 567.00",
    "Tel Aviv",
    "1234567890",
    "+5",
    "",
]


def seen(values: list[Any], name: str = "a") -> dict[str, int | None]:
    return {s.kind: s.rows for s in scan_rows(pd.DataFrame({name: values})).found}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in EXAMPLES.items() for text in texts])
def test_every_kind_is_found_alone_and_inside_a_text(kind: str, text: str) -> None:
    assert seen([text]) == {kind: 1}
    assert seen([f"As agreed ({text}), we will\nsend it. "]) == {kind: 1}


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_it_is_let_be(text: str) -> None:
    assert seen([text]) == {}
    assert seen([f"It says {text} there"]) == {}


@pytest.mark.parametrize(
    "text", ["tel:+4930901820", "name,4111111111111111,Ulm", '{"ssn": "536-90-4399"}', "ip=81.2.69.142"]
)
def test_signs_around_a_value_do_not_hide_it(text: str) -> None:
    assert list(seen([text]).values()) == [1]


def test_rows_are_counted_not_occurrences() -> None:
    mail = EXAMPLES["email"][0]
    report = scan_rows(pd.DataFrame({"a": [mail, f"{mail} {mail}", "none", None, mail]}))
    [one] = report.found
    assert (one.column, one.kind, one.rows, one.share) == ("a", "email", 3, 0.6)


def test_card_numbers_stored_as_numbers_are_found() -> None:
    cards = [4111111111111111, 5555555555554444, 378282246310005]
    assert seen([float(c) for c in cards] + [np.nan]) == {"credit_card": 3}
    assert seen(cards) == {"credit_card": 3}


def test_long_numbers_by_chance_are_no_cards() -> None:
    """Every tenth number passes the check digit; so few among many mean nothing."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(4 * 10**15, 5 * 10**15, 3000)
    assert seen(numbers.tolist()) == {}
    assert seen([str(n) for n in numbers]) == {}
    assert seen([f"{n:08d}{'ABCDEFGHJK'[n % 10]}" for n in rng.integers(0, 10**8, 3000)]) == {}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12) | st.just(np.nan) | st.integers(0, 10**11), min_size=1, max_size=50))
def test_measurements_are_never_personal(values: list[float]) -> None:
    assert seen(values) == {}


def test_many_rows_are_sampled_and_that_is_said() -> None:
    mail = EXAMPLES["email"][0]
    report = scan_rows(pd.DataFrame({"a": [mail, "none"] * 1500}), most=1000)
    assert (report.rows, report.looked_at) == (3000, 1000)
    assert report.found[0].share == pytest.approx(0.5, abs=0.06)
    assert report == scan_rows(pd.DataFrame({"a": [mail, "none"] * 1500}), most=1000)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("customerEmail", {"email"}),
        ("E-MAIL", {"email"}),
        ("email_2", {"email"}),
        ("Surname", {"person_name"}),
        ("date_of_birth", {"birth_date"}),
        ("DOB", {"birth_date"}),
        ("home phone", {"phone"}),
        ("SSN", {"us_ssn"}),
        ("ZipCode", {"address"}),
        ("ip", {"ip_address"}),
        ("billing_address", {"address"}),
        ("IBAN", {"iban"}),
        ("card_number", {"credit_card"}),
        ("passport_no", {"national_id"}),
        ("cell size", set()),
        ("age", set()),
        ("tip", set()),
        ("zipper", set()),
        ("streetcar", set()),
        ("name", set()),
        ("birthrate", set()),
        ("Y", set()),
    ],
)
def test_names_of_columns_speak(name: str, kinds: set[str]) -> None:
    assert pii_kinds_of_column(name) == kinds


def test_a_name_alone_is_a_hint_only_where_values_vary() -> None:
    assert seen([f"w{i}" for i in range(30)], "surname") == {"person_name": None}
    assert seen(["yes", "no"] * 15, "telephone") == {}
    assert seen([f"a{i}@b.de" for i in range(30)], "email") == {"email": 30}


def test_ids_groups_and_keys_are_looked_at_too_but_not_our_own_hashes() -> None:
    raw = pd.DataFrame({"x": range(40), "y": [0, 1] * 20, "who": [f"p{i}@b.de" for i in range(40)]})
    for columns, split, place in (
        (Columns(label="y", positive=1, row_id="who"), Split(), "row_id"),
        (Columns(label="y", positive=1, group="who", ignore=["who"]), Split(), "group"),
        (Columns(label="y", positive=1), Split(key="who"), "key"),
    ):
        assert place in {s.column for s in scan_rows(to_canonical_rows(raw, columns, split.split_columns())).found}
    bare = to_canonical_rows(raw.drop(columns="who"), Columns(label="y", positive=1))
    assert scan_rows(bare).found == []


SECRET = st.sampled_from([text for texts in EXAMPLES.values() for text in texts])


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.tuples(st.text(max_size=30), SECRET, st.text(max_size=30)), min_size=1, max_size=8),
    words=st.booleans(),
)
def test_no_value_is_ever_repeated(texts: list[tuple[str, str, str]], words: bool) -> None:
    """Not in the report, not in the findings, not in the log; whatever stands around it."""
    values = [f"{before} {secret} {after}" for before, secret, after in texts] * 3
    raw = pd.DataFrame({"t": values, "x": range(len(values)), "y": [i % 2 for i in range(len(values))]})
    rows = to_canonical_rows(raw, Columns(label="y", positive=1, text="t" if words else None))
    part = pd.Series("train", index=rows.index)
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        said = scan_rows(rows).model_dump_json() + check_rows(rows, part, Checks()).model_dump_json()
    finally:
        logging.getLogger().removeHandler(handler)
    said += " ".join(records)
    for _, secret, _ in texts:
        assert secret not in said
        assert not [piece for piece in re.findall(r"[\w.@-]{8,}", secret) if piece in said]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("0123456789 .-/()+:@ABXZabcdeé٣\n"), max_size=60), max_size=10))
def test_any_text_is_read_without_a_fault(texts: list[str]) -> None:
    report = scan_rows(pd.DataFrame({"a": pd.Series(texts, dtype=object)}))
    assert all(0 < (s.rows or 0) <= len(texts) for s in report.found)


def test_findings_name_column_kind_and_count() -> None:
    rng = np.random.default_rng(1)
    raw = pd.DataFrame({"x": rng.normal(size=400), "surname": [f"w{i % 90}" for i in range(400)], "y": [0, 1] * 200})
    raw["contact"] = [f"p{i}@b.de" if i < 100 else f"desk {i % 7}" for i in range(400)]
    raw["remark"] = ["call +49 30 901820" if i == 0 else f"sort {i % 9}" for i in range(400)]
    rows = to_canonical_rows(raw, Columns(label="y", positive=1))
    found = [f for f in check_rows(rows, assign_parts(rows, Split()), Checks()).findings if f.check == "personal data"]
    assert {(f.level, *f.columns) for f in found} == {("warning", "contact"), ("note", "remark"), ("note", "surname")}
    [contact] = [f for f in found if f.columns == ["contact"]]
    assert contact.message.startswith("column 'contact' holds e-mail addresses in 100 of 400 rows;")


def test_ordinary_data_sets_raise_nothing(shared_data: Any) -> None:
    adult = pd.read_csv(shared_data / "adult" / "adult.data", header=None).rename(columns=str)
    assert scan_rows(adult, most=40_000).found == []
    reviews = pd.read_parquet(shared_data / "imdb" / "imdb.parquet").head(5000)
    assert {s.kind: s.rows for s in scan_rows(reviews[["text"]]).found} in (
        {},
        {"email": 1},
        {"email": 2},
        {"email": 3},
    )
    messages = pd.read_csv(shared_data / "sms_spam" / "spam.csv", encoding="latin1")
    found = {s.kind: s.rows or 0 for s in scan_rows(messages[["v2"]]).found}
    assert found["email"] == 7
    assert 300 < found["phone"] < 500


def test_a_report_survives_json() -> None:
    report = scan_rows(pd.DataFrame({"a": EXAMPLES["email"]}))
    assert PiiReport.model_validate_json(report.model_dump_json()) == report
