"""The split: decided once per key and the same for ever, in the shares that were asked for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.data.rows import Columns, to_canonical_rows
from credence.data.split import PARTS, Split, assign_parts, hash_to_unit_interval

COLUMNS = Columns(label="y", positive=1, row_id="id")


def raw(n: int = 1000, start: int = 0) -> pd.DataFrame:
    at = np.arange(start, start + n)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(at, unit="D")
    return pd.DataFrame({"id": [f"q{i}" for i in at], "x": at * 1.5, "y": at % 2, "who": at // 10, "day": days})


def parts(table: pd.DataFrame, **split: Any) -> pd.Series:
    rows = to_canonical_rows(table, COLUMNS, Split(**split).split_columns())
    return assign_parts(rows, Split(**split)).set_axis(rows["row_id"])


def refused(table: pd.DataFrame, **split: Any) -> str:
    with pytest.raises(InputError) as caught:
        parts(table, **split)
    return str(caught.value)


@settings(max_examples=20, deadline=None)
@given(st.integers(300, 2000), st.integers(1, 500), st.randoms())
def test_a_row_keeps_its_part_as_the_data_grows_and_moves(n: int, more: int, random: Any) -> None:
    before = parts(raw(n))
    order = random.sample(range(n + more), n + more)
    after = parts(raw(n + more).iloc[order])
    assert after[before.index].equals(before)


def test_the_split_is_the_same_on_every_machine() -> None:
    assert hash_to_unit_interval(pd.Series(["q17", "q18"])).round(6).tolist() == [0.171895, 0.34893]
    assert parts(raw()).iloc[:8].tolist() == ["test", "train", "train", "calibration", "test", "train", "test", "train"]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([0.1, 0.2, 0.35]), st.sampled_from([0.1, 0.25]), st.text(max_size=5))
def test_shares_are_within_binomial_error(test: float, calibration: float, salt: str) -> None:
    n = 4000
    held = parts(raw(n), test=test, calibration=calibration, salt=salt).value_counts()
    for name, share in zip(PARTS, (1 - test - calibration, calibration, test), strict=True):
        assert abs(held[name] - n * share) < 5 * np.sqrt(n * share * (1 - share))


def test_growing_one_part_takes_nothing_from_the_other() -> None:
    small, large = parts(raw(), test=0.1, calibration=0.2), parts(raw(), test=0.2, calibration=0.2)
    assert set(small[small == "test"].index) < set(large[large == "test"].index)


def test_rows_with_one_key_stay_together() -> None:
    table = raw(2000)
    held = parts(table, key="who").groupby(table["who"].to_numpy()).nunique()
    assert held.max() == 1
    assert parts(table, key="who").nunique() == 3


def test_salt_deals_new_parts() -> None:
    agree = (parts(raw(4000)) == parts(raw(4000), salt="spring")).mean()
    assert abs(agree - (0.6**2 + 0.2**2 + 0.2**2)) < 0.05


def test_labels_do_not_steer_the_split() -> None:
    flipped = raw().assign(y=lambda t: 1 - t["y"], x=0.5)
    assert parts(flipped).equals(parts(raw()))


def test_twins_without_ids_stay_together() -> None:
    table = pd.concat([raw(500), raw(500)]).drop(columns="id")
    rows = to_canonical_rows(table, Columns(label="y", positive=1))
    part = assign_parts(rows, Split()).to_numpy()
    assert (part[:500] == part[500:]).all()


@settings(max_examples=20, deadline=None)
@given(st.randoms(), st.integers(1, 7))
def test_time_tests_on_the_newest_and_calibrates_before_it(random: Any, per_day: int) -> None:
    table = raw(700).assign(day=lambda t: pd.Timestamp("2024-01-01") + pd.to_timedelta(t.index // per_day, unit="D"))
    table = table.iloc[random.sample(range(700), 700)]
    part, day = parts(table, time="day").to_numpy(), table["day"].to_numpy()
    assert day[part == "train"].max() < day[part == "calibration"].min()
    assert day[part == "calibration"].max() < day[part == "test"].min()
    for name, share in (("test", 0.2), ("calibration", 0.2)):
        assert abs((part == name).mean() - share) <= (per_day + 1) / 700


def test_a_row_without_a_time_is_refused() -> None:
    table = raw().astype({"day": object})
    table.loc[5, "day"] = None
    assert "'day' is empty in 1 of 1000 rows" in refused(table, time="day")


def test_the_datas_own_split_is_kept() -> None:
    where = np.where(np.arange(1000) < 700, "Training", "TEST")
    part = parts(raw().assign(where=where), column="where").to_numpy()
    assert (part[700:] == "test").all()
    assert set(part[:700]) == {"train", "calibration"}
    assert 0.18 < (part[:700] == "calibration").mean() < 0.32


def test_the_datas_own_calibration_rows_are_kept() -> None:
    where = np.array(["train", "val", "test", "dev"])[np.arange(1000) % 4]
    part = parts(raw().assign(where=where, y=lambda t: t.index // 4 % 2), column="where").to_numpy()
    assert (part[1::4] == "calibration").all()
    assert (part[3::4] == "calibration").all()
    assert (part[0::4] == "train").all()


def test_a_key_stays_together_when_calibration_rows_are_carved_out() -> None:
    table = raw().assign(where=np.where(np.arange(1000) < 700, "train", "test"))
    assert parts(table, column="where", key="who").groupby(table["who"].to_numpy()).nunique().max() == 1


@pytest.mark.parametrize(
    ("table", "split", "says"),
    [
        (raw().assign(where="nowhere"), {"column": "where"}, "holds 'nowhere'; expected train, test or calibration"),
        (raw(), {"test": 0.6, "calibration": 0.4}, "leave nothing to train on"),
        (raw(4), {}, "it needs both answers"),
        (raw().assign(where="train"), {"column": "where"}, "the test part is empty"),
        (raw().assign(y=lambda t: (t.index > 900).astype(int)), {"time": "day"}, "all of them no"),
        (raw(), {"key": "whoo"}, "Did you mean 'who'"),
    ],
)
def test_mistakes_are_named(table: pd.DataFrame, split: dict[str, Any], says: str) -> None:
    assert says in refused(table, **split)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_shares_lie_between_nothing_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="test"):
        Split(test=share)
