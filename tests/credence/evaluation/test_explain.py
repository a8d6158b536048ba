"""Contributions add up, find what was planted, and come in an order that is fixed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.data.rows import original_name
from credence.evaluation.explain import WORDLESS, contributions, explain_rows, importance, reference_mean
from credence.predictor import Predictor
from credence.statistics.uncertainty import logit
from tests.support.evaluation_cases import part, predictor, text_predictor

PLANTED = ["income", "debt", "home"]
NAMES = {"income", "debt", "home", "label", "branch"}
COLUMNS = ["column", "value", "low", "high", "direction", "method"]


class Opaque:
    """A model's answers without its explanations."""

    def __init__(self, predictor: Predictor) -> None:
        self.model = predictor.model

    def draws(self, X: pd.DataFrame) -> np.ndarray:
        return self.model.draws(X)

    def explain(self, X: pd.DataFrame) -> None:
        return None


def opaque(known: Predictor) -> Predictor:
    return Predictor(Opaque(known), known.info, known.reference, known.seen)  # type: ignore[arg-type]


def log_odds(some: Predictor, rows: pd.DataFrame) -> np.ndarray:
    return logit(some.draws(rows).mean(0))


@pytest.mark.parametrize("kind", ["logistic", "random_forest"])
@settings(max_examples=8, deadline=None)
@given(place=st.integers(0, 100), seed=st.integers(0, 5))
def test_sampled_contributions_add_up_to_the_distance_from_the_reference(kind: str, place: int, seed: int) -> None:
    some, row = opaque(predictor(kind, folds=1)), part("test").iloc[[place]]
    (found,) = explain_rows(some, row, seed)
    assert sum(v for _, v in found) == pytest.approx(log_odds(some, row)[0] - reference_mean(some))
    assert {c for c, _ in found} == NAMES


def test_sampling_agrees_with_what_is_exact_for_a_linear_model() -> None:
    known, rows = predictor("logistic", folds=1), part("test").dropna().head(8)
    exact = [dict(e) for e in explain_rows(known, rows)]
    sampled = [dict(e) for e in explain_rows(opaque(known), rows)]
    a, b = (np.array([[e[c] for c in PLANTED] for e in found]) for found in (exact, sampled))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98


def test_exact_contributions_of_one_draw_add_up_to_calibrated_log_odds() -> None:
    known, rows = predictor("logistic", folds=1), part("test")
    found = contributions(known, rows)
    assert found is not None
    rest = log_odds(known, rows) - found.sum(axis=1).to_numpy()
    assert np.ptp(rest) == pytest.approx(0, abs=1e-9)


def test_rows_are_explained_largest_first() -> None:
    for kind in ("logistic", "random_forest"):
        for found in explain_rows(predictor(kind), part("test").head(3)):
            sizes = [abs(v) for _, v in found]
            assert sizes == sorted(sizes, reverse=True)


def test_the_same_seed_gives_the_same_explanation() -> None:
    some, rows = opaque(predictor("random_forest", folds=1)), part("test").head(2)
    assert explain_rows(some, rows, 3) == explain_rows(some, rows, 3)
    assert importance(some, rows, 3).equals(importance(some, rows, 3))


@pytest.mark.parametrize("hidden", [False, True])
def test_importance_finds_what_was_planted_and_which_way_it_points(hidden: bool) -> None:
    known = predictor("logistic")
    found = importance(opaque(known) if hidden else known, part("test"))
    assert list(found) == COLUMNS
    assert set(found["column"].head(3)) == set(PLANTED)
    assert found["value"].is_monotonic_decreasing
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()
    by_column = found.set_index("column")
    if hidden:
        assert by_column.loc["income", "method"] == "rise of log-loss when shuffled"
        assert float(by_column["low"]["label"]) <= 0.001
    else:
        assert by_column.loc["income", "method"] == "mean |SHAP|"
        assert by_column.loc["income", "direction"] == 1
        assert by_column.loc["debt", "direction"] == -1
        assert by_column.loc["home", "direction"] == 0


def test_the_group_is_called_by_its_own_name_and_matters_only_where_there_is_one() -> None:
    some = opaque(predictor("logistic"))
    assert sorted(importance(some, part("test"))["column"]) == ["branch", "debt", "home", "income", "label"]
    schema = some.info.schema_
    for group, wanted in ((None, set()), ("clinic", {"clinic"})):
        info = some.info.model_copy(update={"schema_": schema.model_copy(update={"group": group})})
        other = Predictor(some.model, info, some.reference, some.seen)
        assert {c for c, _ in explain_rows(other, part("test").head(1))[0]} == NAMES | wanted


def test_columns_are_called_as_in_the_raw_data() -> None:
    assert original_name("label_") == "label"
    assert original_name("mean_") == "mean_"
    for hidden in (False, True):
        known = predictor("logistic", folds=1)
        found = explain_rows(opaque(known) if hidden else known, part("test").head(1))[0]
        assert {c for c, _ in found} == NAMES


def test_words_that_tell_are_found_and_point_the_right_way() -> None:
    some, rows = text_predictor()
    found = importance(opaque(some), rows).set_index("column")
    assert {"superb", "lovely", "awful", "boring"} == set(found.index[:4])
    assert (found.loc[["superb", "lovely"], "direction"] == 1).all()
    assert (found.loc[["awful", "boring"], "direction"] == -1).all()


def test_phrases_of_a_text_add_up_with_what_no_words_say() -> None:
    some, rows = text_predictor()
    hidden = opaque(some)
    for place in range(3):
        row = rows.iloc[[place]]
        (found,) = explain_rows(hidden, row)
        assert sum(v for _, v in found) == pytest.approx(log_odds(hidden, row)[0] - reference_mean(hidden))
        assert sorted(c for c, _ in found if c != WORDLESS) == sorted(str(row["text"].iloc[0]).split())


@pytest.mark.parametrize("text", ["", "   ", "one", "word " * 200])
def test_texts_of_any_length_are_explained(text: str) -> None:
    some, rows = text_predictor()
    hidden, row = opaque(some), rows.head(1).assign(text=text)
    (found,) = explain_rows(hidden, row)
    assert len(found) <= 25
    assert sum(v for _, v in found) == pytest.approx(log_odds(hidden, row)[0] - reference_mean(hidden))


def test_texts_in_scripts_without_spaces_are_explained_character_by_character() -> None:
    some, rows = text_predictor()
    text = "这部电影 superb 我喜欢"
    hidden, row = opaque(some), rows.head(1).assign(text=text)
    (found,) = explain_rows(hidden, row)
    assert sorted(c for c, _ in found if c != WORDLESS) == sorted(["superb", *"这部电影我喜欢"])
    assert sum(v for _, v in found) == pytest.approx(log_odds(hidden, row)[0] - reference_mean(hidden))
    assert set(importance(hidden, row)["column"]) == {"superb", *"这部电影我喜欢"}


def test_importance_of_texts_without_words_is_empty() -> None:
    some, rows = text_predictor()
    found = importance(opaque(some), rows.assign(text=""))
    assert list(found) == COLUMNS
    assert found.empty
