"""Posteriors in closed form, phrases of texts, posterior draws as arrays, and whether chains agree."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from credence.core.errors import InputError
from credence.model import Labels, Model
from credence.models.bayes import design_matrix, text_features
from credence.models.bayes.diagnostics import mcmc_diagnostics
from credence.models.bayes.laplace import fit_by_evidence, laplace_posterior
from credence.models.bayes.posterior import Posterior, group_codes, predict_draws, thin_draws
from credence.models.bayes.text_features import TextFeature
from credence.models.kinds.bayesian_logistic import BayesianLogistic
from credence.models.tabular.encoding import TableEncoding
from credence.statistics.uncertainty import Array, draw_interval, sigmoid


def test_nothing_is_written_into_the_users_cache_by_an_import(tmp_path: Path) -> None:
    """arviz would keep the day there, and two processes that did so at once ended with an error."""
    said = "import credence.models.bayes.diagnostics as c; print(c.arviz.__name__)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", said],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), list(tmp_path.glob("arviz*"))) == (0, "arviz", []), done.stderr


def simulated(rows: int, weights: Array, seed: int) -> tuple[Array, Labels]:
    """Rows of standard normal columns and one of ones, with answers by these weights."""
    rng = np.random.default_rng(seed)
    Z = np.column_stack([rng.standard_normal((rows, len(weights) - 1)), np.ones(rows)])
    return Z, (rng.random(rows) < sigmoid(Z @ weights)).astype(np.int64)


def log_joint(Z: Array, y: Labels, w: Array, prior: Array) -> float:
    z = Z @ w
    normal = 0.5 * np.log(prior / (2 * np.pi)) - 0.5 * prior * w**2
    return float((y * z - np.logaddexp(0, z)).sum() + normal.sum())


def test_many_rows_leave_the_maximum_likelihood_and_its_standard_errors() -> None:
    Z, y = simulated(20_000, np.array([1.0, -0.5, 0.0, 0.3]), 0)
    best = minimize(lambda w: np.mean(np.logaddexp(0, Z @ w) - y * (Z @ w)), np.zeros(4), method="BFGS").x
    p = sigmoid(Z @ best)
    errors = np.sqrt(np.diag(np.linalg.inv(Z.T @ (Z * (p * (1 - p))[:, None]))))
    found = fit_by_evidence(Z, y)
    np.testing.assert_allclose(found.mode, best, atol=0.1 * errors.min())
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance())), errors, rtol=0.01)


def test_the_mode_is_the_highest_point() -> None:
    Z, y = simulated(60, np.array([2.0, -1.0, 0.5]), 1)
    found, prior = laplace_posterior(Z, y, 0.7), np.array([0.7, 0.7, 1e-4])
    best = minimize(lambda w: -log_joint(Z, y, w, prior), np.zeros(3), method="BFGS", options={"gtol": 1e-8}).x
    np.testing.assert_allclose(found.mode, best, atol=1e-5)


def test_the_evidence_is_the_integral_over_the_weights() -> None:
    Z, y = simulated(150, np.array([1.0, -0.3]), 2)
    found = laplace_posterior(Z, y, 0.5)
    wide = 8 * np.sqrt(np.diag(found.covariance()))
    first, second = (np.linspace(m - w, m + w, 161) for m, w in zip(found.mode, wide, strict=True))
    heights = np.array([[log_joint(Z, y, np.array([a, b]), np.array([0.5, 1e-4])) for b in second] for a in first])
    cell = (first[1] - first[0]) * (second[1] - second[0])
    exact = np.log(np.exp(heights - heights.max()).sum() * cell) + heights.max()
    assert found.evidence == pytest.approx(exact, abs=0.05)


def test_the_chosen_precision_beats_its_neighbours() -> None:
    Z, y = simulated(300, np.array([1.0, -1.0, 0.2, 0.0, 0.5]), 3)
    found = fit_by_evidence(Z, y)
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert laplace_posterior(Z, y, found.precision * factor).evidence < found.evidence


def test_columns_that_say_nothing_are_shrunk_more_than_columns_that_do() -> None:
    strong = fit_by_evidence(*simulated(500, np.array([2.0, -2.0, 1.5, -1.0, 0.0]), 4))
    nothing = fit_by_evidence(*simulated(500, np.zeros(5), 4))
    assert nothing.precision > 20 * strong.precision
    assert np.abs(nothing.mode[:-1]).max() < 0.1


def test_rows_that_a_line_separates_have_finite_weights() -> None:
    Z = np.column_stack([np.linspace(-1, 1, 40), np.ones(40)])
    found = fit_by_evidence(Z, (Z[:, 0] > 0).astype(np.int64))
    assert np.isfinite(found.mode).all() and np.isfinite(found.root).all()
    assert found.mode[0] > 3


def test_samples_spread_as_the_posterior_does() -> None:
    found = fit_by_evidence(*simulated(200, np.array([1.0, -0.5, 0.2]), 5))
    drawn = found.sample(100_000, 0)
    np.testing.assert_allclose(drawn.mean(0), found.mode, atol=0.005)
    np.testing.assert_allclose(np.cov(drawn.T), found.covariance(), atol=0.001)
    np.testing.assert_array_equal(found.sample(10, 3), found.sample(10, 3))
    assert not np.array_equal(found.sample(10, 3), found.sample(10, 4))


def test_intervals_of_95_percent_cover_95_percent() -> None:
    rng, inside = np.random.default_rng(6), []
    for seed in range(200):
        truth = rng.standard_normal(5)
        found = fit_by_evidence(*simulated(300, truth, seed))
        reach = 1.96 * np.sqrt(np.diag(found.covariance()))
        inside.append(np.abs(found.mode - truth) <= reach)
    assert 0.93 <= np.mean(inside) <= 0.97


def columns(rows: int, seed: int) -> tuple[pd.DataFrame, Labels]:
    rng = np.random.default_rng(seed)
    size = rng.standard_normal(rows)
    X = pd.DataFrame({"size": size, "noise": rng.standard_normal(rows), "group": "all"})
    return X, (rng.random(rows) < sigmoid(2 * size - 0.5)).astype(np.int64)


def test_bayesian_logistic_is_less_sure_where_it_saw_fewer_rows_and_far_away() -> None:
    few, many = (BayesianLogistic().fit(*columns(n, 0)) for n in (40, 4000))
    near, far = (pd.DataFrame({"size": [at], "noise": [0.0], "group": ["all"]}) for at in (0.2, 3.0))
    widths = [np.subtract(*draw_interval(m.draws(near))[::-1])[0] for m in (few, many)]
    assert widths[0] > 4 * widths[1]
    spread = [np.log(m.draws(at) / (1 - m.draws(at))).std() for m in (few,) for at in (near, far)]
    assert spread[1] > 2 * spread[0]


def test_bayesian_logistic_says_which_penalty_it_chose() -> None:
    model = BayesianLogistic(samples=30).fit(*columns(200, 1))
    assert model.draws(columns(5, 2)[0]).shape == (30, 5)
    assert "prior precision" in model.training_record().notes[0]


def test_one_answer_is_refused() -> None:
    X, y = columns(20, 0)
    with pytest.raises(InputError, match="all 20 training rows have the same answer"):
        BayesianLogistic().fit(X, np.ones_like(y))


def compared(rows: int, seed: int) -> tuple[list[str], Labels]:
    """Claims of two wordings about two numbers, half of them true."""
    rng, texts = np.random.default_rng(seed), []
    y = rng.integers(0, 2, rows)
    for answer in y:
        small, large = sorted(rng.choice(900, 2, replace=False))
        greater = rng.random() < 0.5
        first, second = (large, small) if greater == bool(answer) else (small, large)
        texts.append(f"{first} is {'greater' if greater else 'less'} than {second}")
    return texts, y


def test_the_product_of_a_word_and_a_relation_is_found() -> None:
    texts, y = compared(400, 0)
    found = text_features.select_text_features(texts, y, words=20, keep=4, seed=0)
    assert {p.word for p in found if p.relation == "order of a, b"} & {"greater", "less"}
    Z = text_features.feature_matrix(texts, found)
    assert Z.shape == (400, len(found))
    assert np.abs(np.corrcoef(Z.T, y)[-1, :-1]).max() > 0.5


def test_phrases_are_as_many_as_asked_and_no_two_agree_in_every_row() -> None:
    texts, y = compared(300, 1)
    found = text_features.select_text_features(texts, y, words=20, keep=6, seed=0)
    Z = text_features.feature_matrix(texts, found)
    assert 0 < len(found) <= 6
    assert len(np.unique(Z, axis=1).T) == len(found)
    assert (Z.std(0) > 0).all()


def test_texts_without_numbers_are_known_by_their_words() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    texts = [f"the film was {['awful', 'splendid'][answer]} and {rng.choice(['long', 'short'])}" for answer in y]
    found = text_features.select_text_features(texts, y, words=50, keep=3, seed=0)
    assert {p.word for p in found} & {"awful", "splendid"}
    assert all(p.relation is None for p in found)


def test_texts_that_all_agree_have_no_phrases() -> None:
    assert text_features.select_text_features(["the same"] * 10, np.arange(10) % 2, words=5, keep=3, seed=0) == []
    assert text_features.feature_matrix(["the same"], []).shape == (1, 0)


def test_no_more_than_ten_thousand_texts_of_an_answer_are_looked_at() -> None:
    y = np.append(np.zeros(12_000, int), np.ones(3, int))
    looked_at = text_features._sample_rows(y, 0)
    assert len(looked_at) == 10_003 and y[looked_at].sum() == 3
    assert len(set(looked_at)) == len(looked_at) and (np.diff(looked_at) > 0).all()
    np.testing.assert_array_equal(text_features._sample_rows(y[-9:], 0), np.arange(9))


def test_relations_alone_can_be_read() -> None:
    texts, y = [f"{n} and {n + d}" for n in range(50) for d in (-3, 3)], np.arange(100) % 2
    found = text_features.select_text_features(texts, y, words=0, keep=3, seed=0)
    assert TextFeature(None, "order of a, b") in found and all(p.word is None for p in found)


def test_a_relation_that_is_not_known_any_more_is_refused() -> None:
    with pytest.raises(InputError, match="'a is a lucky number'"):
        text_features.feature_matrix(["7 is lucky"], [TextFeature(None, "a is a lucky number")])


def test_columns_of_the_matrix_have_names() -> None:
    X, y = columns(50, 0)
    X["colour"] = np.where(np.arange(50) % 3 == 0, "red", None).astype(object)
    X.loc[0, "size"] = np.nan
    read, Z = design_matrix.from_columns(X, y, TableEncoding())
    assert read.names() == ["size", "size (2)", "noise", "colour = missing", "colour = red", "intercept"]
    assert Z.shape[1] == len(read.names())
    np.testing.assert_array_equal(Z[:, -1], 1.0)
    assert TextFeature("even", "2 divides a").name == "even × 2 divides a"


def drawn(seed: int = 0) -> Posterior:
    rng = np.random.default_rng(seed)
    mu, tau = rng.normal(size=(500, 3)), np.abs(rng.normal(size=(500, 3)))
    return Posterior(mu, tau, mu[:, None] + 0.01 * rng.normal(size=(500, 2, 3)))


def test_an_unknown_group_is_drawn_around_what_all_share() -> None:
    found = drawn()
    coefficients = found.coefficients(500, 7)
    assert coefficients.shape == (500, 3, 3) and coefficients.dtype == np.float32
    np.testing.assert_allclose(coefficients[:, :2], found.B, rtol=1e-6)
    away = (coefficients[:, 2] - found.mu) / found.tau
    assert abs(away.mean()) < 0.1 and away.std() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(coefficients, found.coefficients(500, 7))


def test_draws_are_thinned_evenly() -> None:
    found = drawn()
    np.testing.assert_array_equal(found.coefficients(5, 0)[:, 0], found.B[[0, 125, 250, 374, 499], 0].astype("f4"))
    assert found.coefficients(9999, 0).shape[0] == 500
    np.testing.assert_array_equal(thin_draws(np.arange(20).reshape(2, 10), 4), [[0, 3, 6, 9], [10, 13, 16, 19]])


def test_every_row_is_answered_by_its_group() -> None:
    coefficients = drawn().coefficients(40, 0)
    codes = group_codes(["b", "a", "c", "a"], ["a", "b"])
    np.testing.assert_array_equal(codes, [1, 0, 2, 0])
    Z = np.random.default_rng(1).normal(size=(4, 3))
    found = predict_draws(Z, codes, coefficients)
    expected = [[sigmoid(z @ draw[c].astype(float)) for z, c in zip(Z, codes, strict=True)] for draw in coefficients]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def chains(seed: int, apart: float = 0.0, sticky: float = 0.0) -> Array:
    """Four chains of 1,000 draws of three parameters; `sticky` is how much of the last draw is in the next one."""
    noise, x = np.random.default_rng(seed).standard_normal((4, 1000, 3)), np.zeros((4, 1000, 3))
    for at in range(1000):
        x[:, at] = sticky * x[:, at - 1] + np.sqrt(1 - sticky**2) * noise[:, at]
    return x + apart * np.arange(4)[:, None, None]


def failed(draws: Array, divergences: int = 0, energy: Array | None = None) -> set[str]:
    energy = np.random.default_rng(9).standard_normal((len(draws), draws.shape[1])) if energy is None else energy
    return {d.name for d in mcmc_diagnostics({"x": draws}, energy, divergences) if not d.kept}


def test_independent_draws_pass() -> None:
    assert failed(chains(0)) == set()


def test_chains_that_tell_different_stories_fail() -> None:
    assert "R-hat" in failed(chains(1, apart=0.5))
    drifting = np.cumsum(np.random.default_rng(0).standard_normal((1, 1000, 1)), axis=1)
    assert "R-hat" in failed(drifting), "one chain has to agree with itself"


def test_draws_that_hang_together_are_few() -> None:
    assert "bulk ESS" in failed(chains(2, sticky=0.97))


def test_one_divergence_fails() -> None:
    assert failed(chains(3), divergences=1) == {"divergences"}


def test_energy_that_hardly_moves_fails() -> None:
    steps = np.random.default_rng(0).standard_normal((4, 1000))
    assert failed(chains(4), energy=np.cumsum(steps, axis=1)) == {"E-BFMI"}


def test_a_parameter_that_never_moved_fails() -> None:
    still = chains(5)
    still[..., 1] = 1.0
    assert failed(still) == {"R-hat"}


def test_one_chain_is_enough_to_be_judged() -> None:
    assert failed(chains(6)[:1]) == set()


def test_a_saved_bayesian_logistic_knows_its_notes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = BayesianLogistic().fit(*columns(100, 0))
    model.save(tmp_path)
    assert Model.load(tmp_path).training_record().notes == model.training_record().notes
