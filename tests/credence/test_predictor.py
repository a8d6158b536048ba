"""A predictor answers the same before and after saving, admits doubt, and knows the rows it has seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.core.registry import load_kind
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.predictor import Predictor, TaskInfo
from credence.statistics.calibration import Calibration
from credence.statistics.metrics import score
from credence.statistics.uncertainty import sigmoid

KINDS = ["logistic", "bagging"]


def table(n: int, seed: int) -> pd.DataFrame:
    """Rows of two numbers and a colour that decide the answer, each with an id of its own."""
    rng = np.random.default_rng(seed)
    size, weight = rng.standard_normal((2, n))
    colour = rng.choice(["red", "green", "blue"], n)
    yes = rng.random(n) < sigmoid(2 * size - weight + (colour == "red"))
    raw = pd.DataFrame({"id": [f"{seed}-{i}" for i in range(n)], "size": size, "weight": weight, "colour": colour})
    return to_canonical_rows(
        raw.assign(answer=np.where(yes, "ja", "nein")), Columns(label="answer", positive="ja", row_id="id")
    )


def fitted(kind: str = "logistic", alpha: float = 0.1, metric: str = "accuracy", minimum: float = 0.0) -> Predictor:
    train, calibration = table(300, 1), table(200, 2)
    model = load_kind("models", kind)().fit(model_inputs(train), train["label"].to_numpy())
    about = TaskInfo(task="toy", question="Is it?", answers=("nein", "ja"))
    return Predictor.calibrate(model, train, calibration, Calibration(alpha=alpha), about, metric, minimum)


@pytest.fixture(scope="module", params=KINDS)
def predictor(request: pytest.FixtureRequest) -> Predictor:
    return fitted(request.param)


@pytest.fixture(scope="module")
def new() -> pd.DataFrame:
    return table(150, 3)


def test_saving_and_loading_changes_no_bit(predictor: Predictor, new: pd.DataFrame, tmp_path: Path) -> None:
    predictor.save(tmp_path)
    again = Predictor.load(tmp_path)
    np.testing.assert_array_equal(again.draws(new), predictor.draws(new))
    pd.testing.assert_frame_equal(again.predict(new), predictor.predict(new), check_exact=True)
    pd.testing.assert_frame_equal(again.reference, predictor.reference)
    np.testing.assert_array_equal(again.was_trained_on(new), predictor.was_trained_on(new))
    assert again.info.model_dump_json() == predictor.info.model_dump_json()
    assert again.digest() == predictor.digest()


def test_what_is_saved_executes_nothing(predictor: Predictor, tmp_path: Path) -> None:
    predictor.save(tmp_path)
    kinds = {f.suffix for f in tmp_path.rglob("*") if f.is_file()}
    assert not kinds & {".pkl", ".pickle", ".joblib", ".pt"}


def test_an_empty_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no predictor\.json; expected a folder"):
        Predictor.load(tmp_path)


def test_an_answer_agrees_with_itself(predictor: Predictor, new: pd.DataFrame) -> None:
    found, draws = predictor.predict(new), predictor.draws(new)
    np.testing.assert_array_equal(found["probability"], draws.mean(0))
    assert ((found["label"] == "ja") == (found["probability"] >= predictor.info.threshold)).all()
    assert (found["abstain"] == (found["reasons"].str.len() > 0)).all()
    assert all(set(s) <= {"nein", "ja"} for s in found["set"])
    assert (found["version"] == predictor.info.version).all()
    assert found["uncertainty"].between(0, 1).all()


def test_doubt_splits_where_there_are_draws_and_is_absent_where_there_is_one(new: pd.DataFrame) -> None:
    many, one = fitted("bagging").predict(new), fitted("logistic").predict(new)
    if fitted("bagging").draws(new).shape[0] > 1:
        np.testing.assert_allclose(many["uncertainty"], many["epistemic"] + many["aleatoric"], atol=1e-9)
        assert (many["low"] <= many["high"]).all()
    if fitted("logistic").draws(new).shape[0] == 1:
        assert one[["epistemic", "aleatoric", "low", "high"]].isna().all(axis=None)


@given(order=st.permutations(range(12)))
@settings(max_examples=10, deadline=None)
def test_a_row_is_answered_alike_in_any_company(order: list[int]) -> None:
    """One by one, together or shuffled: the answers differ by no more than floating point does."""
    together, rows = CALM.predict(COMPANY), COMPANY.iloc[order]
    np.testing.assert_allclose(CALM.predict(rows)["probability"], together["probability"].iloc[order], atol=1e-12)
    alone = CALM.predict(rows.iloc[[0]])
    assert alone["probability"].iloc[0] == pytest.approx(together["probability"].iloc[order[0]], abs=1e-12)


CALM, COMPANY = fitted(), table(12, 4)


def test_columns_in_another_order_or_too_many_change_nothing(new: pd.DataFrame) -> None:
    shuffled = new[sorted(new.columns)].assign(extra=1)
    pd.testing.assert_frame_equal(CALM.predict(shuffled), CALM.predict(new))


def test_a_missing_column_is_named(new: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="column 'weight' is missing"):
        CALM.predict(new.drop(columns="weight"))


def test_strange_rows_are_handed_back_with_the_reason(new: pd.DataFrame) -> None:
    rows = new.iloc[:3].copy()
    rows.loc[rows.index[0], "size"] = 1e6
    rows.loc[rows.index[1], "colour"] = "ultraviolet"
    reasons = CALM.predict(rows)["reasons"].tolist()
    assert "out of range: size" in reasons[0]
    assert "unseen category: colour" in reasons[1]
    assert CALM.predict(rows)["abstain"].iloc[:2].all()


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_sets_hold_new_answers_about_as_often_as_promised(alpha: float) -> None:
    rows = table(3000, 9)
    sets, y = fitted(alpha=alpha).predict(rows)["set"], rows["label"]
    for word, c in (("nein", 0), ("ja", 1)):
        held = np.mean([word in s for s in sets[y == c]])
        assert held == pytest.approx(1 - alpha, abs=0.09)


def test_probabilities_are_calibrated_on_new_rows() -> None:
    rows = table(4000, 9)
    p = CALM.draws(rows).mean(0)
    assert score("ece", p, p >= 0.5, rows["label"].to_numpy()) < 0.06


def test_the_threshold_reaches_what_the_gate_asks_for() -> None:
    eager = fitted(metric="recall", minimum=0.97)
    assert eager.info.threshold < 0.5
    calibration = table(200, 2)
    yes = calibration["label"].to_numpy() == 1
    p = eager.draws(calibration).mean(0)
    assert score("recall", p, eager.predict(calibration)["label"].to_numpy() == "ja", yes) >= 0.97


def test_it_has_seen_what_trained_and_calibrated_it_and_nothing_else(new: pd.DataFrame) -> None:
    assert CALM.was_trained_on(table(300, 1)).all()
    assert CALM.was_trained_on(table(200, 2)).all()
    assert not CALM.was_trained_on(new).any()


def test_it_knows_rows_again_by_id_or_by_content(new: pd.DataFrame) -> None:
    old = table(300, 1).iloc[:20]
    renamed, changed = old.assign(row_id=new["row_id"].to_numpy()[:20]), old.assign(size=new["size"].to_numpy()[:20])
    assert CALM.was_trained_on(renamed).all()
    assert CALM.was_trained_on(changed).all()
    assert CALM.was_trained_on(old.drop(columns="weight")).all()
    assert not CALM.was_trained_on(changed.assign(row_id=new["row_id"].to_numpy()[:20])).any()


def test_twins_in_the_training_rows_prove_nothing() -> None:
    train, calibration = table(300, 1), table(200, 2)
    twins = pd.concat([train, train.iloc[:1].assign(row_id="twin")], ignore_index=True)
    model = load_kind("models", "logistic")().fit(model_inputs(twins), twins["label"].to_numpy())
    about = TaskInfo(task="toy", question="Is it?", answers=("nein", "ja"))
    predictor = Predictor.calibrate(model, twins, calibration, Calibration(), about)
    stranger = train.iloc[:2].assign(row_id=["new 1", "new 2"])
    assert predictor.was_trained_on(stranger).tolist() == [False, True]


def test_the_digest_tells_predictors_apart_by_their_answers_alone(new: pd.DataFrame) -> None:
    assert fitted().digest() == CALM.digest() == CALM.with_version("toy:7").digest()
    assert CALM.with_version("toy:7").predict(new)["version"].eq("toy:7").all()
    others: list[Any] = [fitted("bagging"), fitted(alpha=0.2), fitted(metric="recall", minimum=0.97)]
    assert len({CALM.digest(), *(o.digest() for o in others)}) == 4
