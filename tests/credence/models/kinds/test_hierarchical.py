"""Partial pooling over groups: what it learns, how unsure it is of a group it never saw, and what serving it takes."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bentos.packaging.requirements import third_party
from credence.core.errors import InputError
from credence.model import Diagnostic, Labels, Model
from credence.models.bayes import nuts
from credence.models.kinds.hierarchical import Hierarchical
from credence.models.kinds.hierarchical_svi import HierarchicalSVI
from credence.statistics.uncertainty import Array, decompose_uncertainty, logit, sigmoid

ROOT = Path(__file__).parents[4]
GROUPS = np.array(["east", "north", "south", "west"], dtype=object)
SLOPES = np.array([2.5, 1.5, 2.0, -1.5])
SAMPLERS = {"jax", "jaxlib", "numpyro", "pyro", "arviz", "torch"}
SERVE = (
    "import sys, numpy, pandas; from pathlib import Path; from credence.model import Model\n"
    "folder = Path(sys.argv[1]); X = pandas.read_json(folder / 'rows.json', orient='split'); "
    "numpy.save(folder / 'served.npy', Model.load(folder).draws(X)); print(*sorted(sys.modules))"
)


def rows(n: int, seed: int) -> tuple[pd.DataFrame, Labels]:
    """One column that says yes in three groups and no in the fourth, the rarest; another that says nothing."""
    rng = np.random.default_rng(seed)
    group = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    size = rng.standard_normal(n)
    X = pd.DataFrame({"size": size, "noise": rng.standard_normal(n), "group": GROUPS[group]})
    return X, (rng.random(n) < sigmoid(SLOPES[group] * size + 0.5)).astype(np.int64)


@cache
def fitted() -> Hierarchical:
    return Hierarchical(chains=2, warmup=200, samples=250, served=150).fit(*rows(500, 0))


@cache
def varied() -> HierarchicalSVI:
    return HierarchicalSVI(steps=400, samples=150).fit(*rows(500, 0))


both = pytest.mark.parametrize("model", [fitted, varied], ids=["nuts", "svi"])


def slopes(model: Model) -> Array:
    """By group, how much the mean log-odds rise with the column."""
    at = [pd.DataFrame({"size": x, "noise": 0.0, "group": GROUPS}) for x in (-0.5, 0.5)]
    low, high = (logit(model.draws(X)).mean(0) for X in at)
    return np.asarray(high - low)


@both
def test_every_group_has_slopes_of_its_own(model) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(slopes(model()), SLOPES, atol=0.9)


@both
def test_a_group_that_was_never_seen_is_answered_with_more_doubt_than_any_other(model) -> None:  # type: ignore[no-untyped-def]
    X, _ = rows(200, 1)
    doubt = {
        group: decompose_uncertainty(model().draws(X.assign(group=group)))[1].mean() for group in [*GROUPS, "overseas"]
    }
    assert doubt["overseas"] > 2 * max(doubt[group] for group in GROUPS)
    assert doubt["west"] > doubt["east"], "fewer rows leave more doubt"
    missing = model().draws(X.assign(group=None))
    np.testing.assert_array_equal(missing, model().draws(X.assign(group="overseas")))


@both
def test_as_many_draws_answer_as_asked(model) -> None:  # type: ignore[no-untyped-def]
    assert model().draws(rows(3, 2)[0]).shape == (150, 3)


@pytest.mark.parametrize(
    "small",
    [
        HierarchicalSVI(steps=100, samples=60),
        pytest.param(Hierarchical(chains=1, warmup=60, samples=60), marks=pytest.mark.slow),
    ],
    ids=["svi", "nuts"],
)
def test_rows_without_a_group_are_of_one(small: Model) -> None:
    X, y = rows(200, 3)
    alone = small.model_copy().fit(X[["size", "noise"]], y)
    named = small.model_copy().fit(X[["size", "noise"]].assign(group="all"), y)
    np.testing.assert_array_equal(alone.draws(X[["size", "noise"]]), named.draws(X.assign(group="all")))
    assert ((alone.draws(X[["size", "noise"]]).mean(0) > 0.5) == y).mean() > 0.6


@both
def test_one_answer_is_refused(model) -> None:  # type: ignore[no-untyped-def]
    X, y = rows(20, 0)
    with pytest.raises(InputError, match="all 20 training rows have the same answer"):
        type(model())().fit(X, np.zeros_like(y))


def test_learning_tells_of_every_check_and_shows_chains() -> None:
    learned = fitted().training_record()
    assert [d.name for d in learned.diagnostics] == ["R-hat", "bulk ESS", "tail ESS", "divergences", "E-BFMI"]
    assert set(learned.chains) == {f"{s}: {x}" for s in ("mu", "tau") for x in ("size", "noise", "intercept")}
    assert np.shape(learned.chains["mu: size"]) == (2, 200)
    assert np.min(learned.chains["tau: size"]) > 0
    assert learned.cpu_seconds and learned.cpu_seconds > 0


@both
def test_what_was_learned_survives_saving(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model().save(tmp_path)
    assert Model.load(tmp_path).training_record() == model().training_record()


@both
def test_serving_needs_no_sampler(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    needed = third_party({"bentos.service", f"credence.models.kinds.{model().kind()}"})
    assert not needed & SAMPLERS
    X, _ = rows(5, 4)
    model().save(tmp_path)
    X.to_json(tmp_path / "rows.json", orient="split")
    done = subprocess.run([sys.executable, "-c", SERVE, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in done.stdout.split()} & SAMPLERS
    np.testing.assert_allclose(np.load(tmp_path / "served.npy"), model().draws(X), atol=1e-12)


def diagnostics(r_hat: float, divergences: int = 0) -> list[Diagnostic]:
    return [
        Diagnostic(name="R-hat", value=r_hat, bound="< 1.01", kept=r_hat < 1.01),
        Diagnostic(name="divergences", value=divergences, bound="= 0", kept=divergences == 0),
    ]


def test_chains_that_have_not_met_are_noted_with_what_they_fail() -> None:
    notes: list[str] = []
    Hierarchical()._check_convergence(diagnostics(1.05, 3), notes)
    assert notes == [
        "the chains have not converged: R-hat is 1.05, expected < 1.01; divergences is 3, expected = 0; "
        "raise warmup and samples"
    ]
    Hierarchical()._check_convergence(diagnostics(1.002), fine := [])
    assert fine == []


def test_long_chains_that_tell_different_stories_are_refused() -> None:
    with pytest.raises(InputError, match=r"R-hat is 1\.40, expected below 1\.01; raise warmup"):
        Hierarchical()._check_convergence(diagnostics(1.4), [])
    Hierarchical(samples=100)._check_convergence(diagnostics(1.4), short := [])
    assert "R-hat is 1.4" in short[0]


def test_transitions_that_diverge_are_sampled_again_with_smaller_steps() -> None:
    rng = np.random.default_rng(0)
    Z = np.column_stack([100 * rng.standard_normal((30, 1)), np.ones(30)])
    codes, y = np.arange(30) % 3, (Z[:, 0] > 0).astype(np.int64)
    found = nuts.sample(Z, codes, y, ["far", "intercept"], nuts.NutsSettings(1, 20, 100, 0))
    assert "diverged, so all was sampled again" in found.notes[0]


def test_the_same_posterior_whatever_the_order_of_columns() -> None:
    X, y = rows(500, 0)
    turned = Hierarchical(chains=2, warmup=200, samples=250).fit(X[["noise", "size", "group"]], y)
    np.testing.assert_allclose(slopes(turned), slopes(fitted()), atol=0.25)


def test_texts_are_read_by_words_times_relations() -> None:
    rng = np.random.default_rng(0)
    y, texts = rng.integers(0, 2, 240), []
    for answer in y:
        small, large = sorted(rng.choice(900, 2, replace=False))
        greater = rng.random() < 0.5
        first, second = (large, small) if greater == bool(answer) else (small, large)
        texts.append(f"{first} is {'greater' if greater else 'less'} than {second}")
    X = pd.DataFrame({"text": texts, "group": "comparison"})
    model = HierarchicalSVI(steps=300, samples=50, keep=4).fit(X[:160], y[:160])
    assert ((model.draws(X[160:]).mean(0) > 0.5) == y[160:]).mean() > 0.97
    assert any("order of a, b" in name for name in model._inputs.names())


def test_variational_answers_agree_with_those_of_nuts() -> None:
    X, _ = rows(400, 5)
    exact, fast = fitted().draws(X), varied().draws(X)
    assert np.abs(exact.mean(0) - fast.mean(0)).mean() < 0.03
    assert 0.5 < fast.std(0).mean() / exact.std(0).mean() < 1.5


def test_variational_inference_shows_its_loss_and_no_interval_that_is_too_narrow() -> None:
    learned = varied().training_record()
    assert learned.chains == {} and learned.diagnostics == []
    assert "no interval" in learned.notes[0]
    assert learned.curves["loss"][-1] < learned.curves["loss"][0]


@pytest.mark.slow
def test_minibatches_and_the_guide_of_low_rank_reach_the_same_answers() -> None:
    X, y = rows(500, 0)
    other = HierarchicalSVI(steps=1500, batch_rows=100, guide="low_rank", samples=100).fit(X, y)
    assert np.abs(other.draws(X).mean(0) - varied().draws(X).mean(0)).mean() < 0.04


def crossed(n: int) -> tuple[pd.DataFrame, Labels]:
    """Yes where both columns have the same sign, which no line tells."""
    x = np.random.default_rng(8).standard_normal((n, 2))
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "group": "all"}), (x[:, 0] * x[:, 1] > 0).astype(np.int64)


@pytest.mark.slow
def test_an_extractor_learns_what_no_line_tells() -> None:
    X, y = crossed(600)
    straight, bent = (HierarchicalSVI(steps=2500, samples=50, extractor=width).fit(X, y) for width in (None, 16))
    right = [((model.draws(X).mean(0) > 0.5) == y).mean() for model in (straight, bent)]
    assert right[0] < 0.7 and right[1] > 0.9


def test_an_extractor_is_served_without_torch(tmp_path: Path) -> None:
    X, y = crossed(50)
    model = HierarchicalSVI(steps=20, samples=20, extractor=3).fit(X, y)
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    np.testing.assert_array_equal(loaded.draws(X), model.draws(X))
    plain = HierarchicalSVI(steps=20, samples=20).fit(X, y)
    assert loaded._coefficients.shape[2] == plain._coefficients.shape[2] + 3


def test_variational_inference_leaves_torch_as_it_was() -> None:
    import pyro
    import torch

    torch.manual_seed(3)
    before, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(3)
    HierarchicalSVI(steps=5, samples=5).fit(*rows(40, 0))
    assert torch.rand(1) == before and torch.get_num_threads() == threads
    assert not list(pyro.get_param_store().keys())
