"""Rows: one table shape whatever the raw one looked like, ids that depend on content alone, mistakes that are named."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.core.hashing import canonical_value
from credence.data.rows import (
    RESERVED,
    Columns,
    SplitColumns,
    inputs_of,
    model_inputs,
    original_name,
    parse_labels,
    row_hashes,
    sample_rows,
    to_canonical_rows,
)
from credence.data.split import Split, assign_parts

RAW = pd.DataFrame(
    {
        "id": [7, 8, 9],
        "age": [30, None, 50],
        "town": ["Bonn", " Kiel ", "?"],
        "answer": ["yes", "no", "yes"],
        "seen": ["2024-01-02"] * 3,
    }
)
CELL = st.one_of(st.integers(-9, 9), st.floats(-5, 5, width=32), st.sampled_from(["a", "b", None]))


def columns(**more: Any) -> Columns:
    return Columns(**{"label": "answer", "positive": "yes", **more})


def refused(raw: pd.DataFrame = RAW, helpers: SplitColumns = SplitColumns(), **more: Any) -> str:  # noqa: B008
    with pytest.raises(InputError) as caught:
        to_canonical_rows(raw, columns(**more), helpers)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reserved_columns_come_first_then_typed_inputs() -> None:
    rows = to_canonical_rows(RAW, columns(row_id="id", group="town"), SplitColumns(key="id", time="seen"))
    assert list(rows) == ["row_id", "group", "label", "key", "when", "age", "town"]
    assert rows["row_id"].tolist() == ["7", "8", "9"]
    assert rows["label"].tolist() == [1, 0, 1]
    assert rows["key"].tolist() == ["7", "8", "9"]
    assert rows["group"].tolist() == ["Bonn", "Kiel", "?"]
    assert rows["when"].dtype.kind == "M"
    assert rows["age"].dtype == "float64"
    assert rows["town"].tolist() == ["Bonn", "Kiel", None]


def test_helpers_and_ignored_columns_are_no_inputs() -> None:
    assert list(inputs_of(RAW, columns(ignore=["id"]), SplitColumns(column="town", time="seen"))) == ["age"]


def test_text_is_the_only_input_and_never_missing() -> None:
    raw = RAW.assign(said=["one", None, 3])
    rows = to_canonical_rows(raw, columns(text="said", group="town"))
    assert list(model_inputs(rows)) == ["group", "text"]
    assert rows["text"].tolist() == ["one", "", "3"]


def test_inputs_with_reserved_names_get_an_underscore() -> None:
    raw = RAW.rename(columns={"age": "group", "town": "label", "id": "key"}).assign(text=1, group_=2)
    rows = to_canonical_rows(raw, columns(ignore=["seen"]))
    assert list(model_inputs(rows).columns) == ["group", "key_", "group_", "label_", "text_", "group__"]
    assert [original_name(c) for c in model_inputs(rows).columns[1:]] == ["key", "group", "label", "text", "group_"]
    assert not set(inputs_of(raw, columns(ignore=["seen"]))) & set(RESERVED)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, "1"), ("1", " 1 "), (np.int64(3), np.float64(3)), (True, "true"), (np.False_, "false")],
)
def test_one_spelling_however_stored(one: Any, other: Any) -> None:
    assert canonical_value(one) == canonical_value(other)


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ([1, 0], 1),
        ([1.0, 0.0], "1"),
        (["1", "0"], 1),
        ([True, False], True),
        ([True, False], "true"),
        (["y", "n"], "y"),
    ],
)
def test_labels_meet_the_yaml_however_both_are_stored(values: list[Any], positive: Any) -> None:
    assert parse_labels(pd.Series(values, name="answer"), columns(positive=positive)).tolist() == [1, 0]


def test_several_values_mean_yes_and_others_are_left_out() -> None:
    raw = pd.DataFrame({"x": range(5), "answer": [0, 1, 2, 3, 9]})
    rows = to_canonical_rows(raw, columns(positive=[2, 3], negative=[0, 1]))
    assert rows["label"].tolist() == [0, 0, 1, 1]
    assert rows["x"].tolist() == [0, 1, 2, 3]


def test_rows_without_a_label_are_refused_or_dropped() -> None:
    raw = RAW.assign(answer=["yes", None, "no"])
    assert "empty in 1 of 3 rows (the first is row 2)" in refused(raw)
    assert len(to_canonical_rows(raw, columns(unlabelled="drop"))) == 2
    assert "row 3" in refused(RAW.assign(answer=["yes", "no", "  "]))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"label": "anwser"}, "column 'anwser' is not in the data. Did you mean 'answer'"),
        ({"text": "twon"}, "'town'"),
        ({"group": "citi"}, "'citi' is not in the data"),
        ({"ignore": ["agee"]}, "'age'"),
        ({"types": {"aeg": "number"}}, "'age'"),
        ({"positive": None}, "holds 'yes', 'no'; say which of them means yes"),
        ({"positive": "ja"}, "which label column 'answer' never holds"),
        ({"positive": ["yes", "no"]}, "all of them yes"),
        ({"negative": "nein"}, "columns.negative is 'nein'"),
        ({"ignore": ["id", "age", "town", "seen"]}, "no column is left to learn from"),
        ({"types": {"town": "number"}}, "column 'town', row 1: 'Bonn' is not a number"),
        ({"types": {"town": "date"}}, "column 'town', row 1: 'Bonn' is not a date"),
    ],
)
def test_mistakes_are_named(more: dict[str, Any], says: str) -> None:
    assert says in refused(**more)


def test_a_mistaken_table_is_named() -> None:
    assert "a header but no rows" in refused(RAW[:0])
    assert "'age' is in the header twice" in refused(RAW.rename(columns={"town": "age"}))
    assert "row 2: infinite" in refused(RAW.assign(age=[1, np.inf, 2]))
    assert "'keey' is not in the data" in refused(helpers=SplitColumns(key="keey"))


def test_equal_rows_share_an_id_and_others_do_not() -> None:
    raw = pd.DataFrame({"a": [1, 1.0, 2], "b": ["x", "x", "x"], "answer": ["yes", "no", "yes"]})
    ids = to_canonical_rows(raw, columns())["row_id"].tolist()
    assert ids[0] == ids[1] != ids[2]
    assert to_canonical_rows(raw.astype({"a": str}), columns())["row_id"].tolist() == ids


def test_ids_are_the_same_in_every_year() -> None:
    assert row_hashes(pd.DataFrame({"a": [1.5], "b": ["x"]})) == ["21c3b7359b092e92"]


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20), st.randoms())
def test_an_id_depends_on_its_own_row_only(cells: list[tuple[Any, Any]], random: Any) -> None:
    table = pd.DataFrame(cells, columns=["a", "b"], dtype=object)
    whole = row_hashes(table)
    order = random.sample(range(len(table)), len(table))
    assert row_hashes(table.iloc[order][["b", "a"]]) == [whole[i] for i in order]
    assert row_hashes(table[:1]) == whole[:1]


def test_cells_cannot_change_places_unseen() -> None:
    assert len(set(row_hashes(pd.DataFrame({"a": ["x", "y", "xy"], "b": ["y", "x", ""]})))) == 3


def test_a_sample_is_always_the_same_and_grows_by_adding() -> None:
    rows = to_canonical_rows(pd.DataFrame({"x": range(200), "answer": ["yes", "no"] * 100}), columns())
    few, more = sample_rows(rows, 50), sample_rows(rows, 80)
    assert len(few) == 50
    assert few.equals(sample_rows(rows, 50))
    assert set(few["row_id"]) < set(more["row_id"])
    assert sample_rows(rows, None) is rows
    assert sample_rows(rows, 10**6) is rows


def test_a_sample_does_not_favour_a_part() -> None:
    rows = to_canonical_rows(pd.DataFrame({"x": range(3000), "answer": ["yes", "no"] * 1500}), columns())
    assert 0.15 < (assign_parts(sample_rows(rows, 1000), Split()) == "test").mean() < 0.25
