"""Logged answers whose truth came back, as rows to learn from."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from credence.data.feedback_rows import feedback_as_rows
from credence.data.rows import Columns
from credence.data.split import Split, assign_parts
from credence.predictor import Predictor
from credence.security.log_policy import LogPolicy
from tests.support.monitoring_cases import TABLE, TEXTS, fitted, logged, table, texts, watched
from tests.support.small_kinds import small


def learned(rows: pd.DataFrame, new: pd.DataFrame, split: Split | None = None, **log: Any) -> pd.DataFrame:
    """What the log of `new` adds to `rows`."""
    return feedback_as_rows(logged(watched(), new, **log), rows, TABLE, split or Split())


def test_what_was_asked_and_answered_is_a_row_as_any_other() -> None:
    rows, new = table(50, 1), table(50, 2)
    pd.testing.assert_frame_equal(learned(rows, new), new)


def test_texts_too() -> None:
    rows, new = texts(30, 1), texts(30, 2)
    log = logged(watched("tfidf"), new)
    found = feedback_as_rows(log, rows, TEXTS, Split())
    pd.testing.assert_frame_equal(found[["text", "label", "row_id"]], new[["text", "label", "row_id"]])


def test_rows_of_the_source_are_known_already_and_the_newest_of_equal_ones_counts() -> None:
    rows, new = table(40, 1), table(5, 2)
    asked = pd.concat([rows.head(10), new, new.assign(label=1 - new["label"])], ignore_index=True)
    found = learned(rows, asked)
    assert list(found["row_id"]) == list(new["row_id"])
    assert list(found["label"]) == list(1 - new["label"])


def test_without_a_truth_there_is_nothing_to_learn() -> None:
    rows, new = table(40, 1), table(10, 2)
    truth = np.r_[np.full(7, np.nan), [1.0, 0.0, 1.0]]
    assert list(learned(rows, new, truth=truth)["row_id"]) == list(new["row_id"][7:])
    none = learned(rows, new, truth=np.nan)
    assert none.empty and list(none.columns) == list(rows.columns)


@pytest.mark.parametrize("inputs", ["hashed", {"age": "hashed"}])
def test_what_is_only_kept_as_a_hash_cannot_be_learned_from(inputs: Any) -> None:
    predictor = watched()
    info = predictor.info.model_copy(update={"log": LogPolicy(inputs=inputs)})
    hashing = Predictor(predictor.model, info, predictor.reference, predictor.seen)
    assert feedback_as_rows(logged(hashing, table(10, 2)), table(40, 1), TABLE, Split()).empty


def test_answers_of_a_version_that_read_other_columns_are_left_out() -> None:
    rows = table(900, 0).drop(columns="dose, mg")
    other = fitted(small("logistic"), rows, "clinic")
    assert feedback_as_rows(logged(other, rows.head(9)), table(40, 1), TABLE, Split()).empty


def test_new_rows_are_dealt_as_those_of_the_source_are() -> None:
    rows, new = table(300, 1), table(300, 2)
    both = pd.concat([rows, learned(rows, new)], ignore_index=True)
    alone = pd.concat([rows, new], ignore_index=True)
    pd.testing.assert_series_equal(assign_parts(both, Split()), assign_parts(alone, Split()))


def test_where_groups_stay_together_they_still_do() -> None:
    columns, split = Columns(label="ill", positive="yes", group="clinic"), Split(key="clinic")
    rows, new = table(20, 1), table(20, 2)
    found = feedback_as_rows(logged(watched(), new), rows.assign(key=rows["group"]), columns, split)
    assert list(found["key"]) == list(new["group"])


def test_where_the_data_deals_its_own_parts_new_rows_train() -> None:
    rows = table(20, 1).assign(origin=["train", "test"] * 10)
    assert set(learned(rows, table(20, 2), Split(column="origin"))["origin"]) == {"train"}


def test_a_split_by_time_takes_the_moment_of_the_request() -> None:
    rows = table(20, 1).assign(when=pd.Timestamp("2024-01-01"))
    found = learned(rows, table(20, 2), Split(time="when"))
    assert found["when"].is_monotonic_increasing and found["when"].dt.tz is None
