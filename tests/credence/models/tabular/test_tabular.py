"""Folds, and what happens inside them: nothing of a held-out row may reach the model that is to answer it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from credence.core.errors import InputError
from credence.core.registry import available_kinds, load_kind
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.model import Model
from credence.models import tabular
from credence.models.kinds.gradient_boosting import GradientBoosting
from credence.models.kinds.hist_gradient_boosting import HistGradientBoosting
from credence.models.kinds.lightgbm import LightGBM
from credence.models.kinds.logistic import Logistic
from credence.models.kinds.random_forest import RandomForest
from credence.models.tabular import TabularModel
from credence.statistics import cross_validation as folds_module
from credence.statistics.calibration import log_loss
from credence.statistics.cross_validation import stratified_folds

OPTIONS: list[dict[str, Any]] = [
    {},
    {"resample": "smote"},
    {"drop_collinear": 5.0},
    {"select": 2},
    {"encode": "target"},
    {"resample": "smote", "drop_collinear": 5.0, "select": 3, "encode": "target"},
]
QUICK = [Logistic, GradientBoosting, HistGradientBoosting, LightGBM]


def table(n: int, seed: int = 0, rare: float = 0.5) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(size=n)
    y = (a + 0.5 * rng.normal(size=n) > np.quantile(a, 1 - rare)).astype(int)
    town = rng.choice([f"t{i}" for i in range(25)], n).astype(object)
    near = a + 0.01 * rng.normal(size=n)
    hole = np.where(rng.random(n) < 0.2, np.nan, b)
    return pd.DataFrame(
        {"a": a, "near": near, "hole": hole, "noise": rng.normal(size=n), "town": town, "group": "all"}
    ), y


def poisoned(X: pd.DataFrame, y: Any, held: Any, rng: np.random.Generator) -> tuple[pd.DataFrame, Any]:
    """The held-out rows with every value and every answer replaced."""
    X, y = X.copy(), y.copy()
    for column in ("a", "near", "hole", "noise"):
        X.iloc[held, X.columns.get_loc(column)] = 1e3 * rng.normal(size=len(held))
    X.iloc[held, X.columns.get_loc("town")] = "poison"
    y[held] = 1 - y[held]
    return X, y


@settings(max_examples=24, deadline=None)
@given(st.sampled_from(OPTIONS), st.sampled_from(QUICK), st.integers(0, 2), st.integers(0, 100))
def test_a_fold_learns_nothing_from_its_held_out_rows(
    options: dict[str, Any], kind: type[TabularModel], fold: int, seed: int
) -> None:
    X, y = table(90)
    dealt = stratified_folds(y, 3, 0)
    few = {"rounds": 8} if "rounds" in kind.model_fields else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "stratified_folds", lambda *_: dealt)
        clean = kind(folds=3, **few, **options).fit(X, y)
        dirty = kind(folds=3, **few, **options).fit(*poisoned(X, y, dealt[fold][1], np.random.default_rng(seed)))
    probe, _ = table(40, seed=7)
    np.testing.assert_array_equal(clean.draws(probe)[fold], dirty.draws(probe)[fold])
    others = [i for i in range(3) if i != fold]
    assert (clean.draws(probe)[others] != dirty.draws(probe)[others]).any(), "the poison must reach the other folds"


def test_out_of_fold_is_what_the_fold_s_own_model_says() -> None:
    X, y = table(100)
    model = Logistic(folds=4).fit(X, y)
    unseen, draws = model.out_of_fold(), model.draws(X)
    assert unseen is not None
    for i, (_, held) in enumerate(stratified_folds(y, 4, 0)):
        np.testing.assert_allclose(unseen[held], draws[i, held], atol=1e-12)


def test_one_fold_is_one_fit_on_all_rows_and_has_no_out_of_fold() -> None:
    X, y = table(60)
    model = Logistic(folds=1).fit(X, y)
    assert model.draws(X).shape == (1, 60)
    assert model.out_of_fold() is None


def test_fewer_folds_where_an_answer_is_rare() -> None:
    X, _ = table(40)
    assert len(Logistic(folds=5).fit(X, np.repeat([0, 1], [37, 3])).draws(X)) == 3
    assert len(Logistic(folds=5).fit(X, np.repeat([0, 1], [39, 1])).draws(X)) == 1


def test_refuses_rows_of_one_answer() -> None:
    X, _ = table(30)
    with pytest.raises(InputError, match="all 30 training rows have the same answer"):
        Logistic().fit(X, np.ones(30, dtype=int))


def test_smote_balances_but_does_not_make_the_rare_look_common() -> None:
    X, y = table(600, rare=0.1)
    plain, smote = Logistic().fit(X, y), Logistic(resample="smote").fit(X, y)
    assert abs(smote.draws(X).mean() - y.mean()) < 0.03
    assert (smote.draws(X) != plain.draws(X)).any()


def test_collinear_columns_go_and_the_others_stay() -> None:
    X, y = table(200)
    member = Logistic(folds=1, drop_collinear=5.0).fit(X, y)._members[0]
    left = [member.encoding.origin[i] for i in member.kept]
    assert len({"a", "near"} & set(left)) == 1
    assert {"noise", "hole", "town"} <= set(left)


def test_selection_keeps_so_many_columns_and_the_one_that_matters() -> None:
    X, y = table(300)
    member = Logistic(folds=1, select=2).fit(X.drop(columns="near"), y)._members[0]
    assert len(member.kept) == 2
    assert "a" in {member.encoding.origin[i] for i in member.kept}


def test_holes_reach_learners_that_split_on_them_unless_something_needs_them_filled() -> None:
    assert HistGradientBoosting()._encoding().raw
    assert not RandomForest()._encoding().raw
    assert not HistGradientBoosting(resample="smote")._encoding().raw


def test_group_is_not_looked_at() -> None:
    X, y = table(60)
    other = X.assign(group=np.where(y == 1, "yes", "no"))
    np.testing.assert_array_equal(Logistic().fit(X, y).draws(X), Logistic().fit(other, y).draws(other))


@pytest.mark.parametrize(
    "kind", [k for k in available_kinds("models") if issubclass(load_kind("models", k), TabularModel)]
)
def test_defaults_learn_and_are_roughly_calibrated(kind: str) -> None:
    X, y = table(300)
    probe, truth = table(400, seed=3)
    fewer = {"folds": 2} | ({"inner": 2} if kind == "stacking" else {})
    p = load_kind("models", kind)(**fewer).fit(X, y).draws(probe).mean(0)
    assert roc_auc_score(truth, p) > 0.9
    assert log_loss(p, truth) < 0.45


def test_lines_bend_where_the_truth_does_and_explanations_follow() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.uniform(-3, 3, 800), "noise": rng.normal(size=800), "group": "all"})
    y = (rng.random(800) < 1 / (1 + np.exp(3 - 2 * np.abs(X["x"])))).astype(int).to_numpy()
    bent, straight = Logistic(folds=2).fit(X, y), Logistic(folds=2, knots=0).fit(X, y)
    assert log_loss(bent.draws(X).mean(0), y) < log_loss(straight.draws(X).mean(0), y) - 0.1
    found = bent.explain(pd.DataFrame({"x": [-3.0, 0.0, 3.0], "noise": 0.0, "group": "all"}))
    assert found is not None
    assert found["x"][1] < min(found["x"][0], found["x"][2]) - 2


def test_lightgbm_stops_early_on_rows_of_its_own_fold() -> None:
    X, y = table(400)
    grown = [m.scorer.booster().num_trees() for m in LightGBM(folds=2, learning_rate=0.3).fit(X, y)._members]
    assert max(grown) < 100


def test_forests_do_not_pretend_to_explain_log_odds() -> None:
    X, y = table(60)
    assert RandomForest(trees=5, folds=2).fit(X, y).explain(X) is None


def test_nothing_heavy_is_imported_for_serving() -> None:
    heavy = "{'torch', 'skops', 'imblearn', 'shap', 'optuna'}"
    code = f"import sys, credence.models.kinds.voting, credence.models.kinds.tfidf; print({heavy} & set(sys.modules))"
    root = Path(__file__).parents[4]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_real_data_with_real_mess(shared_data: Path, tmp_path: Path) -> None:
    raw = pd.read_csv(shared_data / "heart_cleveland" / "processed.cleveland.data", dtype=str)
    rows = to_canonical_rows(raw, Columns(label="Target", positive=["1", "2", "3", "4"]))
    X, y = model_inputs(rows), rows["label"].to_numpy()
    model = Logistic().fit(X, y)
    unseen = model.out_of_fold()
    assert unseen is not None
    assert roc_auc_score(y, unseen) > 0.88
    model.save(tmp_path)
    np.testing.assert_array_equal(Model.load(tmp_path).draws(X), model.draws(X))


def test_folds_that_take_long_are_shown_with_their_rate(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(folds_module, "PROGRESS_DELAY_SECONDS", 0.0)
    dealt = stratified_folds(np.repeat([0, 1], 20), 4, 0)
    assert len(list(folds_module.with_progress(dealt, "logistic"))) == 4
    said = capsys.readouterr().err
    assert "logistic" in said
    assert "fold/s" in said
