"""Which rows of a window are copies, and how many independent rows it amounts to."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.data.schema import Schema
from credence.predictor import Predictor
from credence.production.monitoring.window import Window
from tests.support.monitoring_cases import START, logged, table, watched

SHARES = 1 / np.arange(1, 61) ** 1.1


def kinds(n: int, seed: int) -> pd.DataFrame:
    """Rows of three categories: some combinations are common, most are rare."""
    random = np.random.default_rng(seed)
    draws = {f"z{i}": random.choice(60, n, p=SHARES / SHARES.sum()) for i in range(3)}
    return pd.DataFrame({c: [f"kind {v}" for v in values] for c, values in draws.items()}).assign(group="all")


def window(rows: pd.DataFrame, reference: pd.DataFrame) -> Window:
    like = watched()
    info = like.info.model_copy(update={"schema_": Schema.learn(reference)})
    names = [c for c in rows if c != "group"]
    records = pd.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(len(rows))],
            "row": 0,
            "version": "3",
            "group": "all",
            "time": START + pd.to_timedelta(np.arange(len(rows)), unit="s"),
            "inputs": [r.to_json() for _, r in rows[names].iterrows()],
        }
    )
    return Window.of(Predictor(like.model, info, reference, like.seen), records)


def numbers(n: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(random.normal(size=(n, 3)), columns=list("abc")).assign(group="all")


def test_rows_that_repeat_by_nature_are_no_copies() -> None:
    seen = window(kinds(3000, 1), kinds(1000, 0))
    assert pd.Series(seen.keys).duplicated().sum() > 300
    assert not seen.copies.any() and seen.effective == 3000


def test_few_of_them_over_and_over_are() -> None:
    again = kinds(200, 1).sample(3000, replace=True, random_state=0).reset_index(drop=True)
    seen = window(again, kinds(1000, 0))
    assert len(seen.distinct) < 500


@settings(max_examples=20)
@given(st.integers(1, 60), st.integers(200, 600))
def test_copies_count_once(pool: int, rows: int) -> None:
    few = numbers(pool, 1)
    seen = window(few.iloc[np.arange(rows) % pool].reset_index(drop=True), numbers(500, 0))
    assert len(seen.distinct) == pool and seen.effective == pool
    assert not seen.copies[:pool].any() and seen.copies[pool:].all()


@pytest.mark.parametrize("pool", [100, 400])
def test_rows_changed_in_one_column_count_as_those_they_came_from(pool: int) -> None:
    random = np.random.default_rng(2)
    rows = numbers(pool, 1).iloc[random.integers(0, pool, 4000)].reset_index(drop=True)
    seen = window(rows.assign(a=random.normal(size=4000)), numbers(1000, 0))
    assert len(seen.distinct) == 4000
    assert seen.effective == pytest.approx(1 / (1 / 4000 + 1 / pool), rel=0.1)


def test_independent_rows_count_as_they_are() -> None:
    seen = window(numbers(800, 1), numbers(1000, 0))
    assert seen.effective == len(seen.distinct) == 800


def test_rows_come_in_the_order_of_time_and_none_twice() -> None:
    records = logged(watched(), table(60))
    mixed = pd.concat([records, records.head(10)]).sample(frac=1, random_state=0)
    seen = Window.of(watched(), mixed)
    assert seen.records["time"].is_monotonic_increasing and len(seen.records) == 60
    expected = table(60)[["age", "key_", "clinic"]]
    pd.testing.assert_frame_equal(seen.inputs[["age", "key_", "clinic"]], expected, check_dtype=False)
