"""What version 0.1 wrote is still read: predictors of every kind, and a project with its champion, looks and log."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bentos.packaging.parity_check import rows_as_requests
from credence.core.paths import log_folder
from credence.core.registry import available_kinds
from credence.data.prediction_log.reader import join_feedback, read_feedback, read_predictions
from credence.model import Model
from credence.predictor import Predictor
from credence.security.keyed_hash import KeyedHasher
from credence.security.signing import Keys, verify
from credence.security.signing.keys import VERIFYING
from tests.support.project_copy import Project
from tests.support.relocate_stores import relocate
from tests.support.serving_cases import client

SAVED = Path(__file__).parent / "saved_by_0_1"
MADE_IN = "/where/it/was/made"
SAVED_NAMES = sorted(file.stem for file in (SAVED / "predictors").glob("*.json"))
EXACT = 1e-9
every_predictor = pytest.mark.parametrize("name", SAVED_NAMES)
ANOTHER = ("--task", "parcels", "--no-deploy", "--set", "models=[{kind: hist_gradient_boosting, folds: 2, rounds: 20}]")
LOAD_ALL = """
import json
import materializers.folder
import materializers.rows
from zenml.client import Client
from zenml.utils.pagination_utils import depaginate
loaded, failed = [], {}
for artifact in depaginate(Client().list_artifact_versions, hydrate=True):
    try:
        loaded.append(f"{artifact.name} is a {type(artifact.load()).__name__}")
    except Exception as error:
        failed[artifact.name] = repr(error)
print("ASKED " + json.dumps({"loaded": loaded, "failed": failed}))
"""
JUDGED = """
import json
from zenml.client import Client
versions = Client().list_model_versions(model="parcels", size=100, hydrate=True).items
kept = {v.number: {n: v.get_artifact(n).load() for n in ("looks", "verdict", "predictor")} for v in versions}
print("ASKED " + json.dumps({n: {
    "pairs": k["looks"].pairs, "times": sorted(set(k["looks"].times.values())), "outcome": k["verdict"].outcome,
    "looks": k["verdict"].looks, "digest": k["predictor"].digest(), "version": k["predictor"].info.version,
} for n, k in kept.items()}))
"""


def told(name: str) -> dict[str, Any]:
    """The rows that version 0.1 was asked, and what it answered."""
    found: dict[str, Any] = json.loads((SAVED / "predictors" / f"{name}.json").read_text())
    return found


def loaded(name: str) -> Predictor:
    return Predictor.load(SAVED / "predictors" / name)


def exact(name: str) -> bool:
    """Kinds that compute in single precision may round differently on another processor."""
    return bool(told(name)["rounding"] <= EXACT)


def assert_same(got: list[dict[str, Any]], wanted: list[dict[str, Any]], relative: float) -> None:
    """The same words, flags and lists, and numbers as close as `relative`."""
    assert len(got) == len(wanted)
    for row, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
        assert ours.keys() == theirs.keys()
        for field, value in theirs.items():
            same = pytest.approx(value, rel=relative, abs=relative * EXACT) if isinstance(value, float) else value
            assert ours[field] == same, f"row {row}: {field}"


def answered(predictor: Predictor, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As JSON has it: no interval is null."""
    found: list[dict[Any, Any]] = predictor.predict(pd.DataFrame(rows)).to_dict("records")
    return [{str(k): None if v != v else v for k, v in answer.items()} for answer in found]


def test_there_is_a_predictor_of_every_kind() -> None:
    assert {told(name)["kind"] for name in SAVED_NAMES} >= {
        "adaboost", "bagging", "bayesian_logistic", "bayesian_transformer", "bilstm", "embeddings", "ensemble",
        "extra_trees", "gradient_boosting", "hierarchical", "hierarchical_svi", "hist_gradient_boosting", "lightgbm",
        "logistic", "mc_dropout", "random_forest", "relations", "stacking", "tfidf", "transformer", "voting",
    }  # fmt: skip
    assert {told(name)["kind"] for name in SAVED_NAMES} <= set(available_kinds("models"))


@every_predictor
def test_it_answers_as_it_did(name: str) -> None:
    saved, predictor = told(name), loaded(name)
    assert predictor.model.kind() == saved["kind"]
    assert_same(answered(predictor, saved["rows"]), saved["answers"], EXACT if exact(name) else 1e-6)


@every_predictor
def test_it_is_the_same_predictor(name: str) -> None:
    saved, predictor = told(name), loaded(name)
    if exact(name) or answered(predictor, saved["rows"]) == saved["answers"]:
        assert predictor.digest() == saved["digest"]
    asked = pd.DataFrame({"row_id": [saved["known"], "never seen"]})
    np.testing.assert_array_equal(predictor.was_trained_on(asked), [True, False])


@every_predictor
def test_it_can_be_saved_again(name: str, tmp_path: Path) -> None:
    predictor = loaded(name)
    predictor.save(tmp_path)
    again = Predictor.load(tmp_path)
    assert again.digest() == predictor.digest()
    assert again.info == predictor.info


@every_predictor
def test_its_model_tells_how_it_learned_and_explains(name: str) -> None:
    predictor, model = loaded(name), Model.load(SAVED / "predictors" / name / "model")
    assert model.training_record() == predictor.model.training_record()
    assert model.fit_seconds > 0
    known = predictor.info.schema_.select(pd.DataFrame(told(name)["rows"]))
    found = model.explain(known)
    assert found is None or np.isfinite(found.to_numpy()).all()


def test_the_signature_still_fits() -> None:
    saved = told("logistic_signed")
    keys = Keys.read({VERIFYING: saved["verifying_keys"]})
    assert verify(SAVED / "predictors" / "logistic_signed", keys) == saved["vouched"]


@pytest.mark.parametrize("name", ["logistic", "tfidf"])
def test_it_is_served_as_it_answered(name: str) -> None:
    saved = told(name)
    bodies = rows_as_requests(pd.DataFrame(saved["rows"]), loaded(name))
    with client(SAVED / "predictors" / name, f"before_{name}") as http:
        got = [http.post("/predict", json=body).json() for body in bodies]
        batch = http.post("/batch_predict", json={"rows": bodies}).json()["answers"]
    known = [{field: answer[field] for field in saved["answers"][0]} for answer in got]
    assert_same(known, saved["answers"], EXACT)
    assert [answer["probability"] for answer in batch] == pytest.approx([answer["probability"] for answer in got])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Today's code in the place of version 0.1, with the stores that it left."""
    made = Project.copy(tmp_path_factory.mktemp("before") / "project")
    with tarfile.open(SAVED / "store.tar.gz") as packed:
        packed.extractall(made.folder, filter="data")
    relocate(made.folder / "stores", MADE_IN, str(made.folder))
    return made


@pytest.fixture(scope="module")
def expected(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.folder / "expected.json").read_text())
    return found


def asked(project: Project, question: str) -> Any:
    (project.folder / "ask_before.py").write_text(question)
    return json.loads(project.python("ask_before.py"))


def test_every_artifact_of_the_store_is_read(project: Project) -> None:
    found = asked(project, LOAD_ALL)
    assert found["failed"] == {}
    assert len(found["loaded"]) == 38


def test_both_registries_know_the_champion(project: Project) -> None:
    state = project.registries("parcels")
    assert state["stages"] == {"1": "archived", "2": "production"}
    assert state["alias"] == "2" and state["registered"] == 2
    assert [(p["version"], p["how"], p["replaces"]) for p in state["promotions"]["2"]] == [(2, "gate", 1)]
    assert all("predictor" in run["files"] for run in state["runs"] if run["nested"])


def test_the_log_is_read(project: Project, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENCE_HOME", project.environment["CREDENCE_HOME"])
    log = log_folder("parcels")
    answers, truths = read_predictions(log), read_feedback(log)
    assert not answers.skipped and not truths.skipped
    found = join_feedback(answers.frame, truths.frame, ("no", "yes"))
    assert (len(found.frame), found.labelled) == (expected["answers"], expected["labelled"])
    assert found.frame["truth"].sum() == expected["late"]
    assert found.frame["probability"].tolist() == expected["probabilities"]
    assert found.frame["label"].tolist() == expected["labels"]
    assert KeyedHasher.of(log)("carrier", "ship") == expected["hash"]


def test_monitoring_goes_on_where_it_was(project: Project) -> None:
    done = project.run("--pipeline", "monitoring", "--task", "parcels", "--since", "2024-01-01T00:00")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 answers in the window, the truth of 25 is known" in done.stderr
    assert "the martingale starts over" not in done.stderr


def test_training_goes_on_where_it_was(project: Project, expected: dict[str, Any]) -> None:
    """The old champion is judged against, and the looks at the test rows are counted on."""
    done = project.run(*ANOTHER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "There is no champion yet" not in done.stdout
    judged = asked(project, JUDGED)
    first, second, third = (judged[number] for number in "123")
    assert (first["looks"], second["looks"], third["looks"]) == (0, 1, 2)
    assert (first["pairs"], first["times"], second["times"], third["times"]) == ([], [], [1], [2])
    assert second["pairs"] == [f"{expected['digest']} against {first['digest']}"]
    assert third["pairs"] == [*second["pairs"], f"{third['digest']} against {expected['digest']}"]
    assert [judged[n]["version"] for n in "123"] == ["parcels:1", "parcels:2", "parcels:3"]


def test_the_history_is_read(project: Project) -> None:
    done = project.run("--pipeline", "promotion", "--task", "parcels", "--history")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "version 2" in done.stdout and "replaces 1" in done.stdout
    assert "version 1" in done.stdout and "There is no champion yet" in done.stdout
