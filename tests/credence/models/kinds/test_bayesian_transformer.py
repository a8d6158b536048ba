"""The kind end to end: what it finds of rows, what it pays for, what it refuses, and the bars it is held to."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.generation.arithmetic.propose import CATEGORIES, propose_statement
from credence.model import Model, NotFitted
from credence.models.expectation.variational_last_layer import logit_normal_mean
from credence.models.kinds.bayesian_transformer import EVIDENCE, ORDERS, BayesianTransformer
from credence.models.transformer.embeddings import PERIOD
from credence.statistics.calibration import fit_scaling
from credence.statistics.metrics import score
from credence.statistics.uncertainty import decompose_uncertainty
from tests.support.transformer_cases import learned, reviews, small, table

ON = {"text": reviews, "columns": table}
every_input = pytest.mark.parametrize("on", [*ON])
OFF = {"orders": "off", "mdl": False, "evidence": False, "debias": False, "fone": False, "relations": False}


def parameters_of(model: BayesianTransformer) -> set[str]:
    return set(model._module.state_dict())


@every_input
def test_probability_is_that_of_quadrature(on: str) -> None:
    X, _ = ON[on](40, seed=1)
    model = learned(on)
    with torch.inference_mode():
        batch = model._rows(X).batch(range(len(X)))
        exact = logit_normal_mean(*model._network.head.moments(model._network.encode(batch)))
    np.testing.assert_allclose(model.draws(X).mean(0), exact, atol=1e-4)


@every_input
def test_one_reading_gives_draws_and_findings(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = ON[on](40, seed=1)
    model, read = learned(on), list[int]()
    apart = model.draws(X), model.row_diagnostics(X)
    features = model._network.features
    monkeypatch.setattr(model._network, "features", lambda *a, **k: read.append(1) or features(*a, **k))
    together = model.predict_all(X)
    assert len(read) == sum(1 for _ in model._batches(model._rows(X)))
    np.testing.assert_array_equal(together[0], apart[0])
    assert together[1].keys() == apart[1].keys()
    for name, values in together[1].items():
        np.testing.assert_array_equal(values, apart[1][name])


@every_input
def test_evidence_grows_where_training_rows_lie_dense(on: str) -> None:
    """In the reference implementation alpha + beta is 3.445 for 1, 10, 100 and 1000 tokens alike."""
    X, _ = ON[on](100, seed=1)
    found = learned(on).row_diagnostics(X)
    evidence = found["alpha"] + found["beta"]
    assert (evidence >= 1).all() and evidence.max() <= 120 + 1
    dense = found["ood_pvalue"] > 0.5
    assert evidence[dense].mean() > evidence[~dense].mean()
    np.testing.assert_allclose(found["alpha"] - 0.5, (evidence - 1) * learned(on).draws(X).mean(0), atol=0.02)


def test_rows_unlike_all_others_have_little_evidence() -> None:
    X, _ = table(100, seed=1)
    model = learned("columns", epochs=6)
    near, far = model.row_diagnostics(X), model.row_diagnostics(X.assign(size=80.0, noise=-900.0))
    assert far["ood_pvalue"].max() < 0.2 < np.median(near["ood_pvalue"])
    assert (far["alpha"] + far["beta"]).max() < np.median(near["alpha"] + near["beta"])


@every_input
def test_p_values_of_new_rows_are_uniform_or_nearly(on: str) -> None:
    X, y = ON[on](400)
    model = small(held_out=0.3).fit(X, y)
    p = model.row_diagnostics(ON[on](400, seed=1)[0])["ood_pvalue"]
    assert p.min() >= 1 / 121 and p.max() <= 1
    assert abs(p.mean() - 0.5) < 0.12


@every_input
def test_findings_are_those_of_the_row_alone_and_survive_saving(on: str, tmp_path: Path) -> None:
    X, _ = ON[on](20, seed=1)
    model = learned(on, orders="average", permutations=3, loops=2)
    found = model.row_diagnostics(X)
    assert [*found] == ["k_used", *EVIDENCE, *ORDERS]
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    for name, values in found.items():
        assert values.shape == (20,) and values.dtype == np.float64 and np.isfinite(values).all()
        np.testing.assert_array_equal(loaded.row_diagnostics(X)[name], values)
        alone = model.row_diagnostics(X.iloc[[7]])[name][0]
        assert alone == pytest.approx(values[7], rel=2e-3, abs=1e-4)
    assert all(values.shape == (0,) for values in model.row_diagnostics(X.iloc[:0]).values())


def test_several_orders_are_draws_and_their_spread_is_reported() -> None:
    X, _ = reviews(30, seed=1)
    model = learned("text", orders="average", permutations=4)
    draws, found = model.draws(X), model.row_diagnostics(X)
    assert draws.shape == (10 * 4, 30)
    by_order = draws.reshape(10, 4, 30).mean(0)
    np.testing.assert_allclose(by_order.std(0, ddof=1), found["order_sd"], atol=1e-4)
    assert (found["order_sd"] > 0).all() and (found["order_jsd"] > 0).all()
    saved = np.log(by_order.mean(0)) - np.log(by_order).mean(0)
    np.testing.assert_allclose(found["order_gain_yes"], saved, atol=1e-4)
    assert (found["order_gain_no"] >= 0).all()
    assert (found["k_used"] == 4).all() and model.training_record().passes == 4


@every_input
def test_nothing_is_said_of_orders_where_there_is_one(on: str) -> None:
    assert [*learned(on).row_diagnostics(ON[on](5)[0])] == ["k_used", "alpha", "beta", "ood_pvalue"]


def test_evidence_is_absent_where_no_row_was_held_out() -> None:
    X, y = table(15)
    assert [*small().fit(X, y).row_diagnostics(X)] == ["k_used"]


def test_loops_follow_a_budget_that_held_out_rows_set() -> None:
    X, _ = reviews(60, seed=1)
    model = learned("text", loops=4)
    budget, k = model._network.encoder.budget, model.row_diagnostics(X)["k_used"]
    assert float(budget.constant) != 1.0, "it was never fitted"
    assert ((k >= 1) & (k <= 4)).all() and model.training_record().passes == 4
    lengths = np.array([len(words) for words in model._rows(X).columns["words"]])
    assert (np.diff(k[np.argsort(lengths, kind="stable")]) >= 0).all(), "longer texts take more"


@every_input
def test_doubt_has_both_parts(on: str) -> None:
    X, _ = ON[on](60, seed=1)
    total, epistemic, aleatoric = decompose_uncertainty(learned(on).draws(X))
    assert (epistemic > 0).all() and (aleatoric > 0).all() and epistemic.std() > 0
    np.testing.assert_allclose(total, epistemic + aleatoric, atol=1e-9)


def test_the_last_layer_costs_bits_and_fewer_under_the_prior_that_fits() -> None:
    last = learned("columns")._network.head.variational
    assert last is not None
    bits = learned("columns").training_record().model_bits
    assert bits == pytest.approx(float(last.kl().detach()) / math.log(2)) and bits > 0
    fitted, costs = float(last.precision), []
    for factor in (0.5, 1.0, 2.0):
        last.precision.fill_(fitted * factor)
        costs.append(float(last.kl().detach()))
    last.precision.fill_(fitted)
    assert costs[1] < min(costs[0], costs[2])
    last.fit_prior()
    assert float(last.precision) == fitted


def test_the_penalty_is_the_divergence_shared_by_the_training_rows() -> None:
    network = learned("columns")._network
    X, y = table(40)
    last, loss = network.head.variational, network.loss(learned("columns")._rows(X, y).batch(range(40)))
    assert last is not None
    assert network.rows == len(learned("columns")._split(table(120)[1])[0]) < 120
    assert float(torch.as_tensor(loss.penalty).detach()) == pytest.approx(float(last.kl().detach()) / network.rows)


@every_input
def test_every_part_can_be_switched_off(on: str) -> None:
    X, y = ON[on](60)
    plain = small(**OFF).fit(X, y)
    assert plain.draws(X).shape == (1, 60)
    assert plain.training_record().model_bits is None
    assert [*plain.row_diagnostics(X)] == ["k_used"]
    left = {name.split(".")[0] for name in parameters_of(plain)}
    assert left == {"tokens", "encoder", "head"}
    with_all = learned(on)
    assert {name.split(".")[0] for name in parameters_of(with_all)} == left | {"support"}


@pytest.mark.parametrize("switch", ["fone", "relations"])
def test_numbers_are_words_without_their_parts(switch: str) -> None:
    X, y = reviews(60)
    assert not [name for name in parameters_of(small(**{switch: False}).fit(X, y)) if switch in name]
    assert [name for name in parameters_of(learned("text")) if switch in name]


def test_long_texts_are_watched_for_artefacts() -> None:
    X, y = reviews(40)
    longer = X.assign(text=[" ".join([t] * 8) for t in X["text"]])
    model = small().fit(longer, y)
    assert float(model._module.state_dict()["artefacts.projection.seen"].sum()) > 0
    assert model._reader.reader.reach >= PERIOD  # type: ignore[attr-defined]
    assert not [n for n in parameters_of(small(debias=False).fit(longer, y)) if n.startswith("artefacts")]


@pytest.mark.parametrize("orders", ["exact", "average", "off"])
def test_hostile_texts_are_answered(orders: str) -> None:
    told = ["", "🙂🙃", "\0\0a\0", "qwertz", "word " * 100_000, "1 2 3 4 5 6 7 8 9 10", "9" * 500, "1e999", "." * 99]
    X, model = pd.DataFrame({"text": told}), learned("text", orders=orders)
    draws = model.draws(X)
    assert np.isfinite(draws).all() and ((draws >= 0) & (draws <= 1)).all()
    assert all(np.isfinite(values).all() for values in model.row_diagnostics(X).values())
    np.testing.assert_allclose(model.draws(X.iloc[[0]])[:, 0], draws[:, 0], atol=1e-5)


def test_what_lies_behind_the_longest_text_is_not_read() -> None:
    X, y = reviews(60)
    model = small(longest=5, relations=False).fit(X, y)
    cut = pd.DataFrame({"text": ["the film was long so splendid", "the film was long so awful"]})
    draws = model.draws(cut)
    np.testing.assert_allclose(draws[:, 0], draws[:, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"width": 10, "heads": 4}, "expected a width that the heads divide"),
        ({"permutations": 4}, "set orders: average, or permutations: 1"),
        ({"permutations": 4, "orders": "exact"}, "only 'average' has several orders"),
        ({"orders": "random"}, "orders: input should be"),
        ({"loops": 0}, "loops: input should be greater than or equal to 1"),
        ({"dropout": 1.0}, "dropout: input should be less than 1"),
        ({"samples": 0}, "samples"),
        ({"longest": 0}, "longest"),
    ],
)
def test_wrong_parameters_are_refused_in_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ModelSpec(kind="bayesian_transformer", **wrong).build()


def test_findings_before_learning_are_refused() -> None:
    with pytest.raises(NotFitted, match="has not been fitted"):
        small().row_diagnostics(table(5)[0])


def test_one_answer_alone_is_refused() -> None:
    with pytest.raises(InputError, match="all 30 training rows have the same answer"):
        small().fit(table(30)[0], np.ones(30, np.int64))


@every_input
@pytest.mark.parametrize("parameters", [{}, {"orders": "exact", "loops": 2}, {"orders": "average"}, {"mdl": False}])
def test_half_precision_learns_the_same_within_its_reach(on: str, parameters: dict[str, Any]) -> None:
    """A GPU learns in bfloat16 where nothing else is said."""
    X, y = ON[on](32)
    X = X.assign(text=[" ".join([t] * 4) for t in X["text"]]) if on == "text" else X
    half, full = (small(precision=p, dropout=0.0, **parameters).fit(X, y) for p in ("bf16", "fp32"))
    assert half._history.precision == "bf16"
    assert np.abs(half.draws(X).mean(0) - full.draws(X).mean(0)).mean() < 0.03


def test_the_folder_holds_its_parameters_and_nothing_of_the_draws(tmp_path: Path) -> None:
    learned("text").save(tmp_path)
    assert {f.name for f in tmp_path.iterdir()} == {"model.json", "reader.json", "weights.safetensors", "history.json"}
    assert json.loads((tmp_path / "model.json").read_text())["parameters"]["orders"] == "auto"


def test_it_learns_texts_and_tables() -> None:
    for on, least in (("text", 0.9), ("columns", 0.8)):
        X, y = ON[on](300)
        model = small(width=32, epochs=12).fit(X, y)
        X, y = ON[on](300, seed=1)
        assert roc_auc_score(y, model.draws(X).mean(0)) > least


def statements(n: int, first: int) -> pd.DataFrame:
    """As many of each category and answer, from the ordinal `first` on."""
    told = [
        propose_statement(0, c, label, first + i) for c in CATEGORIES for label in (False, True) for i in range(n // 8)
    ]
    return pd.DataFrame([(item.question, int(item.answer)) for item in told], columns=["text", "label"])


@pytest.mark.slow
def test_the_reasoning_bar() -> None:
    """8,000 statements to learn and calibrate on, 2,000 others: accuracy .993, log-loss .03, calibration error .01."""
    known, test = statements(8000, 0).sample(frac=1, random_state=0), statements(2000, 1000)
    test = test[~test["text"].isin(known["text"])]
    train, calibration = known.iloc[:7200], known.iloc[7200:]
    model = ModelSpec(kind="bayesian_transformer", epochs=16).build().fit(train[["text"]], train["label"].to_numpy())
    scaled = fit_scaling(model.draws(calibration[["text"]]), calibration["label"].to_numpy(), "temperature")
    p, y = scaled(model.draws(test[["text"]])).mean(0), test["label"].to_numpy()
    assert score("accuracy", p, p >= 0.5, y) >= 0.993
    assert score("log_loss", p, p >= 0.5, y) <= 0.03
    assert score("ece", p, p >= 0.5, y) <= 0.01


@pytest.mark.slow
def test_the_tabular_bar() -> None:
    """Breast cancer, five folds: the area under the curve is that of logistic regression, or 0.01 less."""
    data = load_breast_cancer(as_frame=True)
    X, y, areas = data.data, data.target.to_numpy(), []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        model = ModelSpec(kind="bayesian_transformer").build().fit(X.iloc[train], y[train])
        plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X.iloc[train], y[train])
        said = model.draws(X.iloc[test]).mean(0), plain.predict_proba(X.iloc[test])[:, 1]
        areas.append([roc_auc_score(y[test], p) for p in said])
    ours, theirs = np.mean(areas, axis=0)
    assert ours > theirs - 0.01
