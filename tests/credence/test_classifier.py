"""The scikit-learn classifier passes scikit-learn's own checks and answers like a predictor."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from credence.classifier import CredenceClassifier
from credence.core.errors import InputError
from credence.data.split import stratified_calibration_rows


@parametrize_with_checks(
    [CredenceClassifier(), CredenceClassifier(models=[{"kind": "hist_gradient_boosting", "folds": 2}])]
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    """None is excused."""
    check(estimator)


def table(n: int = 300) -> tuple[pd.DataFrame, pd.Series]:
    """Numbers with gaps, a category, a date and a column with a reserved name."""
    rng = np.random.default_rng(0)
    size, label = rng.standard_normal(n), rng.integers(0, 9, n)
    colour = rng.choice(["red", "green"], n).astype(object)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    y = pd.Series(np.where(2 * size + (colour == "red") + rng.logistic(size=n) > 0.5, "stay", "go"))
    size[:20], colour[10:30] = np.nan, None
    return pd.DataFrame({"size": size, "label": label, "colour": pd.Categorical(colour), "when": when}), y


def test_probabilities_are_calibrated_better_than_the_base_rate() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    found = CredenceClassifier().fit(X_train, y_train)
    assert log_loss(y_test, found.predict_proba(X_test)) < 0.2
    assert found.score(X_test, y_test) > 0.93
    assert list(found.feature_names_in_) == list(X.columns)


def test_mixed_columns_train_and_answer_with_intervals() -> None:
    X, y = table()
    before = X.copy(deep=True)
    found = CredenceClassifier(["logistic", "bagging"]).fit(X, y)
    pd.testing.assert_frame_equal(X, before)
    assert list(found.classes_) == ["go", "stay"]
    assert len(found.losses_) == 2
    answers = found.predictor_.predict(X)
    np.testing.assert_array_equal(answers["probability"], found.predict_proba(X)[:, 1])
    assert (answers["label"].to_numpy() == found.predict(X)).all()
    assert set(found.predict(X.head(5))) <= {"go", "stay"}


def test_it_works_in_cross_validation_pipelines_and_searches() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    piped = make_pipeline(SelectKBest(k=5), CredenceClassifier([{"kind": "logistic", "folds": 2}]))
    assert cross_val_score(piped, X, y, cv=3).min() > 0.9
    grid = {"models": [[{"kind": "logistic", "folds": 1, "C": C}] for C in (0.01, 1.0)]}
    search = GridSearchCV(CredenceClassifier(), grid, cv=2, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_["models"][0]["C"] == 1.0


def test_text_is_read_from_its_column() -> None:
    words = np.where(np.arange(120) % 2, "free prize call now", "see you at work")
    X = pd.DataFrame({"message": [f"{w} {i}" for i, w in enumerate(words)], "n": range(120)})
    found = CredenceClassifier(text="message").fit(X, np.arange(120) % 2 == 1)
    assert found.predictor_.model.kind() == "tfidf"
    assert found.score(X, np.arange(120) % 2 == 1) > 0.95


def test_a_copy_and_a_pickle_answer_the_same() -> None:
    X, y = table()
    found = CredenceClassifier().fit(X, y)
    again = clone(found).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).predict_proba(X), found.predict_proba(X))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"models": ["logstic"]}, "no model of kind 'logstic'. Did you mean 'logistic'?"),
        ({"models": ["tfidf"]}, "'tfidf' reads text"),
        ({"calibration": 1.0}, "expected a share between 0 and 1"),
        ({"text": "colur"}, "column 'colur' is not in the data. Did you mean 'colour'?"),
    ],
)
def test_wrong_parameters_are_refused_at_fit(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        CredenceClassifier(**given).fit(*table(60))
    assert sentence in str(refused.value)


def test_calibration_rows_hold_both_answers_and_split_one_key_at_most() -> None:
    rows = pd.DataFrame({"key": [f"{i // 3}" for i in range(90)], "label": [int(i >= 60) for i in range(90)]})
    held = stratified_calibration_rows(rows, 0.2)
    assert held.groupby(rows["label"]).sum().tolist() == [12, 6]
    torn = set(rows.loc[held, "key"]) & set(rows.loc[~held, "key"])
    assert len(torn) <= 2
    with pytest.raises(InputError, match="1 row only"):
        stratified_calibration_rows(rows.head(61), 0.2)
