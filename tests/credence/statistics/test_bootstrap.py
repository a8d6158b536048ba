"""The bootstrap draws clusters whole, as often as theory says, in little memory; the jackknife leaves each out once."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.statistics.bootstrap import bootstrap_weights, cluster_ids, jackknife_weights

KEYS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40)


@given(keys=KEYS, resamples=st.integers(1, 20), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_rows_of_a_key_are_drawn_together(keys: list[str], resamples: int, seed: int) -> None:
    drawn = bootstrap_weights(keys, len(keys), resamples, seed)
    assert drawn.shape == (resamples, len(keys))
    first = [keys.index(k) for k in keys]
    assert (drawn == drawn[:, first]).all()
    assert (drawn[:, sorted(set(first))].sum(1) == len(set(keys))).all()


def test_without_keys_every_row_is_its_own_cluster() -> None:
    names = [f"row {i}" for i in range(50)]
    assert (bootstrap_weights(None, 50, 30) == bootstrap_weights(names, 50, 30)).all()
    assert (bootstrap_weights(None, 50, 30).sum(1) == 50).all()


def test_counts_are_those_of_drawing_with_replacement() -> None:
    drawn = bootstrap_weights(None, 200, 4000)
    assert drawn.mean() == 1
    assert drawn.var() == pytest.approx(1 - 1 / 200, rel=0.01)
    assert (drawn == 0).mean() == pytest.approx((1 - 1 / 200) ** 200, rel=0.01)
    pairs = np.cov(drawn[:, :2].T)[0, 1]
    assert pairs == pytest.approx(-1 / 200, abs=0.05)


def test_the_same_seed_draws_the_same_and_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap_weights(None, 30, 100, seed=5)
    assert (bootstrap_weights(None, 30, 100, seed=5) == whole).all()
    assert (bootstrap_weights(None, 30, 100, seed=6) != whole).any()
    monkeypatch.setattr("credence.statistics.bootstrap.CHUNK_CELLS", 7 * 30)
    assert (bootstrap_weights(None, 30, 100, seed=5) == whole).all()


def test_a_large_test_part_needs_little_memory() -> None:
    tracemalloc.start()
    drawn = bootstrap_weights(None, 25_000, 2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert drawn.nbytes == 50_000_000
    assert peak < 300_000_000


def test_the_bootstrap_error_of_a_mean_is_the_textbook_one() -> None:
    x = np.random.default_rng(0).normal(size=300)
    means = bootstrap_weights(None, 300, 5000) @ x / 300
    assert means.std() == pytest.approx(x.std() / np.sqrt(300), rel=0.03)


def test_clusters_make_the_error_larger_where_rows_repeat() -> None:
    x = np.random.default_rng(0).normal(size=60).repeat(5)
    keys = np.arange(60).repeat(5).astype(str)
    drawn = bootstrap_weights(keys, 300, 5000)
    means = drawn @ x / drawn.sum(1)
    assert means.std() == pytest.approx(x.std() / np.sqrt(60), rel=0.03)


@given(keys=KEYS)
@settings(max_examples=50, deadline=None)
def test_the_jackknife_leaves_every_cluster_out_once(keys: list[str]) -> None:
    kept = jackknife_weights(keys, len(keys))
    assert kept.shape == (len(set(keys)), len(keys))
    assert ((kept == 0).sum(0) == 1).all()
    assert all(len({keys[i] for i in np.flatnonzero(row == 0)}) == 1 for row in kept)


def test_many_clusters_are_left_out_in_groups_of_like_size() -> None:
    kept = jackknife_weights(None, 1234, most=100)
    assert kept.shape == (100, 1234)
    assert ((kept == 0).sum(0) == 1).all()
    assert set((kept == 0).sum(1)) == {12, 13}


def test_clusters_are_numbered_by_first_appearance() -> None:
    assert cluster_ids(["b", "a", "b"], 3).tolist() == [0, 1, 0]
    assert cluster_ids(None, 3).tolist() == [0, 1, 2]
