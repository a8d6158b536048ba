"""The schema: what a column is, what training saw of it, and what of a request is strange."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.data.schema import Column, Schema, column_kind, parse_column

FINITE = st.floats(-1e6, 1e6)


def train() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [20.0, 60.0, None] * 100,
            "town": ["Bonn", "Kiel", None] * 100,
            "seen": pd.to_datetime(["2024-01-01", "2024-03-01", None] * 100),
            "group": "all",
        }
    )


def schema() -> Schema:
    return Schema.learn(train())


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "number"),
        (["1", " 2.5 ", "?"], "number"),
        (["1e3", "-4", None], "number"),
        ([True, False], "number"),
        (["a", "1"], "category"),
        (["00123", "10115"], "category"),
        (["-05", "7"], "category"),
        (["0", "0.5"], "number"),
        (["2024-01-02", "n/a"], "date"),
        (["1.2.2024 10:30", "3.4.2023"], "date"),
        (["2024-01-02", "soon"], "category"),
        (["10-14", "20-24"], "category"),
        ([None, "?"], "category"),
        ([], "category"),
    ],
)
def test_the_kind_of_a_column_is_read_off_its_values(values: list[Any], kind: str) -> None:
    found = parse_column(
        pd.Series(values, name="c", dtype=object if not values or isinstance(values[0], (str, type(None))) else None)
    )
    assert column_kind("c", found) == kind


@pytest.mark.parametrize("word", ["", "?", "NA", "n/a", "NaN", "null", "None", "-", "NaT", "<NA>", " ? "])
def test_words_for_nothing_are_missing(word: str) -> None:
    assert parse_column(pd.Series(["1", word])).isna().tolist() == [False, True]
    assert parse_column(pd.Series(["x", word])).tolist() == ["x", None]


def test_a_kind_that_is_named_is_obeyed() -> None:
    assert parse_column(pd.Series([1, 2, 3.5]), "category").tolist() == ["1", "2", "3.5"]
    assert parse_column(pd.Series(["00123"]), "number").tolist() == [123.0]
    assert parse_column(pd.Series(["3 May 2024"]), "date").tolist() == [pd.Timestamp("2024-05-03")]


def test_time_zones_become_one() -> None:
    here = parse_column(pd.Series(["2024-01-02T10:00:00+02:00", "2024-01-02T08:00:00Z"]))
    assert here[0] == here[1] == pd.Timestamp("2024-01-02 08:00")


def test_endless_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="column 'x', row 2: infinite"):
        parse_column(pd.Series([1.0, -np.inf], name="x"))


@given(st.lists(st.one_of(FINITE, st.none()), min_size=1, max_size=20))
def test_numbers_survive_being_written_as_words(values: list[float | None]) -> None:
    plain = parse_column(pd.Series(values, dtype="float64"))
    words = parse_column(pd.Series([None if v is None else repr(v) for v in values], dtype=object), "number")
    pd.testing.assert_series_equal(plain, words)


@given(st.lists(st.text(max_size=5), min_size=1, max_size=20))
def test_typing_twice_changes_nothing(values: list[str]) -> None:
    once = parse_column(pd.Series(values, dtype=object), "category")
    pd.testing.assert_series_equal(parse_column(once, "category"), once)


def test_a_column_remembers_what_training_saw() -> None:
    age, town, seen = schema().columns
    assert (age.kind, age.low, age.high, age.nullable) == ("number", 20.0, 60.0, True)
    assert (town.kind, town.categories) == ("category", ["Bonn", "Kiel"])
    assert (seen.kind, seen.low) == ("date", pd.Timestamp("2024-01-01").timestamp())
    assert schema().names() == ["age", "town", "seen"]


def test_ordinary_requests_give_no_reasons() -> None:
    assert schema().warnings(schema().select(train())) == [[]] * 300


@pytest.mark.parametrize(
    ("request_", "reasons"),
    [
        ({"age": 71}, ["out of range: age"]),
        ({"age": 69.9}, []),
        ({"age": 9}, ["out of range: age"]),
        ({"age": None}, []),
        ({"town": "Ulm"}, ["unseen category: town"]),
        ({"town": "?"}, []),
        ({"seen": "2024-03-10"}, []),
        ({"seen": "2026-01-01"}, ["out of range: seen"]),
        ({"age": 500, "town": "Ulm"}, ["out of range: age", "unseen category: town"]),
    ],
)
def test_strange_requests_say_why(request_: dict[str, Any], reasons: list[str]) -> None:
    rows = pd.DataFrame([{"age": 30, "town": "Bonn", "seen": "2024-02-01", **request_}])
    assert schema().warnings(schema().select(rows)) == [reasons]


def test_texts_are_measured_by_length() -> None:
    known = Schema.learn(pd.DataFrame({"text": ["a" * 10, "b" * 50], "group": "all"}))
    rows = known.select(pd.DataFrame({"text": ["c" * 55, "d" * 500, ""]}))
    longer = "the text is longer than any in training (500 characters, at most 50 there)"
    assert known.warnings(rows) == [[], [longer], ["the text is empty"]]


def test_an_open_column_expects_new_categories() -> None:
    assert Column.learn("name", pd.Series([f"n{i}" for i in range(100)], dtype=object)).categories is None
    mostly = pd.Series(["a"] * 50 + ["b"] * 149 + ["c"], dtype=object)
    assert Column.learn("x", mostly).categories == ["a", "b", "c"]
    many = pd.Series([f"n{i % 1001}" for i in range(5000)], dtype=object)
    assert Column.learn("x", many).categories is None


def test_a_request_is_cast_to_what_training_saw() -> None:
    rows = pd.DataFrame({"town": [7], "age": ["41"], "seen": ["2024-02-01"], "extra": ["left aside"]})
    known = schema().select(rows)
    assert list(known) == ["age", "town", "seen", "group"]
    assert known["age"].tolist() == [41.0]
    assert known["town"].tolist() == ["7"]
    assert known["group"].tolist() == ["all"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"drop": "age"}, "column 'age' is missing."),
        ({"age": "old"}, "column 'age', row 1: 'old' is not a number"),
        ({"seen": "soon"}, "column 'seen', row 1: 'soon' is not a date"),
        ({"age": np.inf}, "infinite"),
    ],
)
def test_unusable_requests_are_refused(change: dict[str, Any], says: str) -> None:
    row = {"age": 30, "town": "Bonn", "seen": "2024-02-01", **change}
    rows = pd.DataFrame([row]).drop(columns=["drop", row["drop"]] if "drop" in row else [])
    with pytest.raises(InputError) as caught:
        schema().select(rows)
    assert says in str(caught.value)


def test_a_schema_survives_json() -> None:
    assert Schema.model_validate_json(schema().model_dump_json()) == schema()


def test_columns_without_any_value_are_never_strange() -> None:
    empty = Column.learn("x", pd.Series([None, None], dtype="float64"))
    assert empty.out_of_range(pd.Series([1.0, None])).tolist() == [False, False]
