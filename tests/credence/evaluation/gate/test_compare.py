"""Two predictors before the gate, as the pipeline brings them there."""

import numpy as np
import pandas as pd
import pytest

from credence.data.checks import Finding, Findings
from credence.data.rows import model_inputs
from credence.evaluation.gate import Gate
from credence.evaluation.gate.compare import compare_predictors, predict_side
from credence.evaluation.gate.verdict import TestSetUsage
from credence.model import Diagnostic, TrainingRecord
from credence.models.kinds.logistic import Logistic
from credence.predictor import Predictor, TaskInfo
from credence.statistics.calibration import Calibration

NOTHING = Findings(findings=[], missing={})
LEAK = Finding(level="error", check="leak", message="column 'b' alone predicts the answer", columns=["b"])


def table(n: int, seed: int, prefix: str) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, n))
    ids = [f"{prefix}{i}" for i in range(n)]
    label = (a + b + rng.standard_normal(n) > 0).astype(int)
    return pd.DataFrame({"row_id": ids, "group": "all", "label": label, "key": ids, "a": a, "b": b})


TRAIN, CALIBRATION, TEST = table(300, 0, "train"), table(200, 1, "calibration"), table(400, 2, "test")
ABOUT = TaskInfo(task="t", question="?", answers=("no", "yes"))


def trained(train: pd.DataFrame) -> Predictor:
    model = Logistic(folds=1).fit(model_inputs(train), train["label"].to_numpy())
    return Predictor.calibrate(model, train, CALIBRATION, Calibration(), ABOUT)


@pytest.fixture(scope="module")
def strong() -> Predictor:
    return trained(TRAIN)


@pytest.fixture(scope="module")
def weak() -> Predictor:
    return trained(TRAIN.assign(b=np.random.default_rng(9).standard_normal(300)))


def test_the_first_good_challenger_is_promoted_and_no_look_is_spent(strong: Predictor) -> None:
    verdict, looks = compare_predictors(strong, None, TEST, Gate(), TestSetUsage(), NOTHING)
    assert verdict.outcome == "promote", verdict.reason
    assert looks == TestSetUsage()


def test_a_stronger_challenger_replaces_a_weak_champion_and_spends_a_look(strong: Predictor, weak: Predictor) -> None:
    verdict, looks = compare_predictors(strong, weak, TEST, Gate(), TestSetUsage(), NOTHING)
    assert verdict.outcome == "promote", verdict.reason
    assert len(looks.pairs) == 1
    again, after = compare_predictors(strong, weak, TEST, Gate(), looks, NOTHING)
    assert again.level == verdict.level
    assert after == looks


def test_the_same_predictor_has_nothing_to_gain(strong: Predictor) -> None:
    verdict, looks = compare_predictors(strong, strong, TEST, Gate(), TestSetUsage(), NOTHING)
    assert verdict.outcome == "keep"
    assert "nothing to gain" in verdict.reason
    assert looks == TestSetUsage()


def test_rows_that_give_the_answer_away_wait_for_a_person(strong: Predictor) -> None:
    verdict, _ = compare_predictors(strong, None, TEST, Gate(), TestSetUsage(), Findings(findings=[LEAK], missing={}))
    assert verdict.outcome == "hold"
    assert LEAK.message in verdict.reason


def test_draws_that_have_not_converged_wait_for_a_person(strong: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    r_hat = Diagnostic(name="R-hat", value=1.031, bound="< 1.01", kept=False)
    tail = Diagnostic(name="tail ESS", value=92.4, bound="> 400", kept=False)
    energy = Diagnostic(name="E-BFMI", value=0.8, bound="> 0.3", kept=True)
    monkeypatch.setattr(Logistic, "training_record", lambda self: TrainingRecord(diagnostics=[r_hat, energy, tail]))
    verdict, _ = compare_predictors(strong, None, TEST, Gate(), TestSetUsage(), NOTHING)
    assert verdict.outcome == "hold" and "E-BFMI" not in verdict.reason
    assert "R-hat is 1.031 (expected < 1.01), tail ESS is 92.4 (expected > 400); give the model more" in verdict.reason
    assert [g.name for g in verdict.guards if not g.ok] == ["sampling"]


def test_a_champion_with_other_columns_is_said_so_and_nothing_is_lost(strong: Predictor) -> None:
    calibration = CALIBRATION.rename(columns={"b": "c"})
    train = TRAIN.rename(columns={"b": "c"})
    model = Logistic(folds=1).fit(model_inputs(train), train["label"].to_numpy())
    champion = Predictor.calibrate(model, train, calibration, Calibration(), ABOUT)
    verdict, _ = compare_predictors(strong, champion, TEST, Gate(), TestSetUsage(), NOTHING)
    assert verdict.outcome == "hold"
    assert "'c'" in verdict.reason


def test_a_side_knows_its_sets_and_its_time(strong: Predictor) -> None:
    found = predict_side(strong, TEST.head(30))
    assert found.p.shape == found.yes.shape == (30,)
    assert found.sets is not None
    assert found.sets.shape == (30, 2)
    assert found.milliseconds is not None
    assert found.milliseconds > 0
    assert sum(found.calibrated_on or ()) == len(CALIBRATION)
