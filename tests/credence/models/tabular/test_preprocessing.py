"""Fewer columns and balanced answers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.models.tabular.preprocessing import drop_collinear, oversample_smote, select_features_rfe
from credence.statistics.cross_validation import stratified_folds


def normal(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, k))


def test_the_variance_inflation_factor_is_that_of_a_regression() -> None:
    """Columns 0 and 1 correlate at r; their factor is 1 / (1 - r²), so the limit on either side of it decides."""
    Z = normal(500, 3)
    Z[:, 1] = Z[:, 0] + 0.5 * Z[:, 1]
    others = np.c_[np.ones(500), Z[:, [0, 2]]]
    residual = Z[:, 1] - others @ np.linalg.lstsq(others, Z[:, 1], rcond=None)[0]
    factor = Z[:, 1].var() / residual.var()
    assert len(drop_collinear(Z, factor * 1.01)) == 3
    assert len(drop_collinear(Z, factor * 0.95)) == 2


def test_duplicates_and_constants_go() -> None:
    Z = normal(50, 2)
    kept = drop_collinear(np.c_[Z, Z[:, 0], np.ones(50)], 10.0)
    assert len(kept) == 2
    assert 1 in kept
    assert 3 not in kept


def test_one_column_is_left_where_all_are_constant() -> None:
    np.testing.assert_array_equal(drop_collinear(np.ones((5, 3)), 5.0), [0])


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 8), st.integers(0, 50))
def test_what_is_kept_is_below_the_limit(k: int, seed: int) -> None:
    mixed = normal(60, k, seed) @ normal(k, k, seed + 1)
    kept = drop_collinear(mixed, 4.0)
    if len(kept) > 1:
        assert np.diag(np.linalg.inv(np.corrcoef(mixed[:, kept], rowvar=False))).max() <= 4.0 + 1e-6


def test_the_strongest_columns_are_those_that_tell() -> None:
    Z = normal(400, 6)
    y = (Z[:, 1] - Z[:, 4] + 0.3 * normal(400, 1)[:, 0] > 0).astype(int)
    np.testing.assert_array_equal(select_features_rfe(1e3 * Z, y, 2), [1, 4])
    assert len(select_features_rfe(Z, y, 9)) == 6


def test_smote_adds_rows_between_rows_and_keeps_those_that_are_there() -> None:
    Z, y = normal(60, 2), np.repeat([0, 1], [50, 10])
    more, answers = oversample_smote(Z, y, seed=0)
    assert (answers == 1).sum() == (answers == 0).sum() == 50
    np.testing.assert_array_equal(more[:60], Z)
    rare = Z[50:]
    assert (more[60:] >= rare.min(0)).all()
    assert (more[60:] <= rare.max(0)).all()


def test_smote_copes_with_two_rows_and_leaves_one_alone() -> None:
    Z = normal(20, 2)
    assert len(oversample_smote(Z, np.repeat([0, 1], [18, 2]), 0)[0]) == 36
    assert len(oversample_smote(Z, np.repeat([0, 1], [19, 1]), 0)[0]) == 20


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=2, max_size=60), st.integers(1, 7), st.integers(0, 5))
def test_folds_hold_every_row_out_once_and_show_both_answers(answers: list[int], n: int, seed: int) -> None:
    y = np.array(answers)
    dealt = stratified_folds(y, n, seed)
    assert len(dealt) == (m if (m := min(n, y.sum(), len(y) - y.sum())) >= 2 else 0)
    if dealt:
        np.testing.assert_array_equal(np.sort(np.concatenate([held for _, held in dealt])), np.arange(len(y)))
    for train, held in dealt:
        assert not set(train) & set(held)
        assert set(y[train]) == {0, 1} == set(y[held])
