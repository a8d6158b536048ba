"""From typed columns to a matrix: what training saw decides, everything else is answered for."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from credence.models.tabular.encoding import (
    MAX_ONEHOT_LEVELS,
    DateEncoder,
    MeanTargetEncoder,
    NumberEncoder,
    OneHotEncoder,
    TableEncoding,
    feature_columns,
)

NO = np.zeros(6, dtype=int)
numbers = st.floats(-1e6, 1e6) | st.just(float("nan"))


def colours(*words: str | None) -> np.ndarray:
    return np.array(words, dtype=object)


def test_a_missing_number_gets_the_median_and_a_flag() -> None:
    number = NumberEncoder()
    number.fit_transform(np.array([1.0, 2.0, 10.0, np.nan]), NO[:4])
    np.testing.assert_array_equal(number.transform(np.array([np.nan, 5.0])), [[2.0, 1.0], [5.0, 0.0]])


def test_a_number_that_was_never_missing_has_no_flag_and_still_answers() -> None:
    number = NumberEncoder()
    assert number.fit_transform(np.array([1.0, 2.0, 3.0]), NO[:3]).shape == (3, 1)
    np.testing.assert_array_equal(number.transform(np.array([np.nan])), [[2.0]])


def test_a_number_that_was_always_missing_is_a_constant() -> None:
    number = NumberEncoder()
    number.fit_transform(np.full(3, np.nan), NO[:3])
    assert len(np.unique(number.transform(np.array([np.nan, np.nan])))) == 1


def test_raw_numbers_keep_their_holes() -> None:
    number = NumberEncoder(raw=True)
    np.testing.assert_array_equal(number.fit_transform(np.array([1.0, np.nan]), NO[:2]), [[1.0], [np.nan]])


def test_bent_lines_reach_any_piecewise_linear_shape_and_stop_where_training_stopped() -> None:
    number, x = NumberEncoder(knots=3), np.linspace(0, 1, 201)
    basis = number.fit_transform(x, np.zeros(201, int))
    assert basis.shape == (201, 4)
    assert np.abs(np.linalg.lstsq(np.c_[basis, np.ones(201)], np.abs(x - 0.5), rcond=None)[1]).sum() < 1e-3
    np.testing.assert_array_equal(number.transform(np.array([1e9])), number.transform(np.array([1.0])))


def test_few_distinct_numbers_are_not_bent() -> None:
    assert NumberEncoder(knots=3).fit_transform(np.array([0.0, 1.0] * 50), np.zeros(100, int)).shape == (100, 1)


def test_a_date_shows_only_the_parts_that_vary() -> None:
    days = pd.date_range("2020-03-02", periods=5, freq="D").to_numpy()
    date = DateEncoder()
    found = date.fit_transform(days, NO[:5])
    assert date.parts == [0, 3], "days and weekday vary; year, month and hour do not"
    np.testing.assert_array_equal(np.diff(found[:, 0]), np.ones(4))


def test_a_missing_date_gets_medians_and_flags() -> None:
    days = np.array(["2020-03-02", "2020-03-04", "NaT"], dtype="datetime64[ns]")
    date = DateEncoder()
    found = date.fit_transform(days, NO[:3])
    assert np.isfinite(found).all()
    assert found[2, 0] == found[:2, 0].mean()
    assert found[2, 1] == 1


def test_seconds_and_nanoseconds_are_the_same_date() -> None:
    date = DateEncoder()
    date.fit_transform(pd.date_range("2020-01-01", periods=400, freq="17h").to_numpy(), np.zeros(400, int))
    moment = np.array(["2021-05-06T07:00:00"], dtype="datetime64[s]")
    np.testing.assert_array_equal(date.transform(moment), date.transform(moment.astype("datetime64[ns]")))


def test_one_hot_knows_missing_and_leaves_the_new_out() -> None:
    onehot = OneHotEncoder()
    onehot.fit_transform(colours("red", None, "blue", "red"), NO[:4])
    found = onehot.transform(colours("red", None, "violet", "blue"))
    np.testing.assert_array_equal(found.sum(1), [1, 1, 0, 1])
    assert found.shape == (4, 3)


def test_target_shares_come_from_other_rows() -> None:
    """A category seen once, or twice in one fold, may not tell its own answer to the row that it stands in."""
    rng = np.random.default_rng(0)
    names, y = colours(*[f"town {i}" for i in range(400)]), rng.integers(0, 2, 400)
    shown = MeanTargetEncoder(seed=0).fit_transform(names, y)[:, 0]
    assert abs(np.corrcoef(shown, y)[0, 1]) < 0.25


def test_target_shares_are_shrunk_and_the_new_gets_the_overall_share() -> None:
    names, y = (
        colours(*["often"] * 90, *["twice"] * 2, *["other"] * 8),
        np.array([1] * 60 + [0] * 30 + [1] * 2 + [0] * 8),
    )
    target = MeanTargetEncoder(seed=0)
    target.fit_transform(names, y)
    often, twice, new = target.transform(colours("often", "twice", "never"))[:, 0]
    assert often == pytest.approx(2 / 3, abs=0.02)
    assert new == pytest.approx(0.62)
    assert twice <= 1


@pytest.mark.parametrize(
    ("encode", "expected"), [("auto", MeanTargetEncoder), ("onehot", OneHotEncoder), ("target", MeanTargetEncoder)]
)
def test_many_categories_become_shares_unless_told_otherwise(encode: str, expected: type) -> None:
    names = colours(*[f"{i % (MAX_ONEHOT_LEVELS + 1)}" for i in range(200)])
    encoding = TableEncoding(encode=encode)  # type: ignore[arg-type]
    encoding.fit_transform({"town": names}, np.arange(200) % 2)
    assert isinstance(encoding.encoders["town"], expected)


def test_few_categories_become_columns_by_default() -> None:
    encoding = TableEncoding()
    encoding.fit_transform({"town": colours(*[f"{i % MAX_ONEHOT_LEVELS}" for i in range(200)])}, np.arange(200) % 2)
    assert isinstance(encoding.encoders["town"], OneHotEncoder)


def test_group_is_no_input() -> None:
    assert set(feature_columns(pd.DataFrame({"a": [1.0], "group": ["x"]}))) == {"a"}


def test_contributions_go_back_to_the_input_they_came_from() -> None:
    encoding = TableEncoding()
    table = {"a": np.array([1.0, np.nan, 3.0]), "b": colours("x", "y", None)}
    Z = encoding.fit_transform(table, np.array([0, 1, 0]))
    found = encoding.by_input(np.ones_like(Z), np.arange(Z.shape[1]))
    assert found.iloc[0].to_dict() == {"a": 2.0, "b": 3.0}
    assert encoding.by_input(np.ones((1, 1)), np.array([Z.shape[1] - 1])).iloc[0].to_dict() == {"a": 0.0, "b": 1.0}


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float64, st.integers(2, 30), elements=numbers), st.booleans(), st.integers(0, 4))
def test_numbers_are_finite_scaled_and_the_same_alone_and_together(values: np.ndarray, scale: bool, knots: int) -> None:
    encoding = TableEncoding(scale=scale, knots=knots)
    Z = encoding.fit_transform({"a": values}, np.zeros(len(values), int))
    assert np.isfinite(Z).all()
    np.testing.assert_array_equal(Z, encoding.transform({"a": values}))
    np.testing.assert_array_equal(Z[:1], encoding.transform({"a": values[:1]}))
    if scale:
        binary = np.isin(Z, (0.0, 1.0)).all(0)
        assert (np.abs(Z.mean(0))[~binary] < 1e-6).all()
        assert (Z.std(0)[~binary] < 1 + 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.none() | st.text(max_size=3), min_size=4, max_size=30),
    st.lists(st.none() | st.text(max_size=3), max_size=9),
)
def test_any_category_at_all_is_answered_for(seen: list[str | None], asked: list[str | None]) -> None:
    y = np.arange(len(seen)) % 2
    for encode in ("onehot", "target"):
        encoding = TableEncoding(encode=encode)  # type: ignore[arg-type]
        width = encoding.fit_transform({"c": colours(*seen)}, y).shape[1]
        found = encoding.transform({"c": colours(*asked)})
        assert found.shape == (len(asked), width)
        assert np.isfinite(found).all()
