"""The champion in both registries, real ones: whatever call fails, the next attempt completes, and both agree."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from zenml import Model, ModelVersionResponse, link_artifact_to_model, save_artifact
from zenml.client import Client

from credence.core.errors import InputError
from credence.predictor import Predictor
from materializers.folder import FolderMaterializer
from steps.shared import audit_log, mlflow_alias, model_versions, registry
from tests.support.serving_cases import kept, trained
from tests.support.small_kinds import small

NUMBERS = count()
WRITES = (
    (audit_log, "log_metadata"),
    (mlflow_alias.mlflow, "log_artifacts"),
    (MlflowClient, "create_registered_model"),
    (MlflowClient, "create_model_version"),
    (MlflowClient, "search_model_versions"),
    (MlflowClient, "set_registered_model_alias"),
    (ModelVersionResponse, "set_stage"),
)


class Broken(RuntimeError):
    """What a call to a registry raises in these tests."""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return trained(small("logistic"), "registry")[0]


@pytest.fixture(scope="module")
def folder(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept(predictor, tmp_path_factory.mktemp("registry") / "predictor")


@pytest.fixture
def name() -> str:
    """A model of ZenML's of its own."""
    name = f"model_{next(NUMBERS)}"
    Client().create_model(name)
    return name


@pytest.fixture
def tracked(tmp_path: Path) -> Iterator[None]:
    """An active run of an MLflow that is empty."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = mlflow.create_experiment("tests", (tmp_path / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        yield
    mlflow.set_tracking_uri("")


def version(name: str, predictor: Predictor) -> ModelVersionResponse:
    """A new version of the model, with its predictor in the artifact store."""
    made = Client().create_model_version(name)
    artifact = save_artifact(predictor, "predictor", materializer=FolderMaterializer)
    link_artifact_to_model(artifact, Model(name=name, version=made.number))
    return Client().get_model_version(name, made.number)


def stages(name: str) -> dict[int, str | None]:
    return {v.number: v.stage for v in Client().list_model_versions(model=name)}


def alias_of(name: str) -> str | None:
    """The ZenML version that MLflow's alias stands for."""
    found = MlflowClient().search_registered_models(f"name = '{name}'")
    if not found or mlflow_alias.ALIAS not in found[0].aliases:
        return None
    return str(MlflowClient().get_model_version_by_alias(name, mlflow_alias.ALIAS).tags[mlflow_alias.TAG])


def registered(name: str) -> list[str]:
    return sorted(v.tags[mlflow_alias.TAG] for v in MlflowClient().search_model_versions(f"name = '{name}'"))


def fail(monkeypatch: pytest.MonkeyPatch, k: int, after: bool) -> list[str]:
    """Let the k-th of all calls to a registry raise, before or after it took effect; returns the calls as they come."""
    calls: list[str] = []

    def counted(original: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            calls.append(what)
            breaks = len(calls) == k
            if breaks and not after:
                raise Broken(what)
            result = original(*given, **named)
            if breaks:
                raise Broken(what)
            return result

        return call

    for place, what in WRITES:
        monkeypatch.setattr(place, what, counted(getattr(place, what), what))
    return calls


def test_without_a_champion_there_is_none(name: str, predictor: Predictor, folder: Path, tracked: None) -> None:
    version(name, predictor)
    assert model_versions.champion_version(name) is None
    assert model_versions.champion_version("nobody") is None
    registry.sync_mlflow_alias(name)
    assert alias_of(name) is None


def test_promoting_twice_is_promoting_once(name: str, predictor: Predictor, folder: Path, tracked: None) -> None:
    first, second = version(name, predictor), version(name, predictor)
    lines = [
        registry.promote_in_registry(first, folder, "gate", "the first"),
        registry.promote_in_registry(second, folder, "gate", "better"),
    ]
    assert [(line.version, line.replaces, line.how) for line in lines if line] == [(1, None, "gate"), (2, 1, "gate")]
    assert registry.promote_in_registry(second, folder, "gate", "again") is None
    assert stages(name) == {1: "archived", 2: "production"}
    assert (alias_of(name), registered(name)) == ("2", ["1", "2"])
    assert audit_log.promotion_history(name) == lines


@pytest.mark.parametrize("after", [False, True])
def test_whatever_call_fails_the_next_attempt_completes(
    after: bool, name: str, predictor: Predictor, folder: Path, tracked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One version per call that may fail; each is tried, breaks, leaves one champion, and is tried again."""
    registry.promote_in_registry(version(name, predictor), folder, "gate", "the first")
    for k in count(1):
        champion, candidate = model_versions.champion_version(name), version(name, predictor)
        assert champion is not None
        with monkeypatch.context() as patch:
            calls = fail(patch, k, after)
            try:
                registry.promote_in_registry(candidate, folder, "gate", "better")
            except Broken:
                assert len(calls) == k
        assert list(stages(name).values()).count("production") == 1
        done = len(calls) < k
        if k % 2:
            registry.promote_in_registry(candidate, folder, "gate", "better")
            assert stages(name)[candidate.number] == "production"
            line = audit_log.promotion_lines(Client().get_model_version(name, candidate.number))[-1]
            assert (line.replaces, line.reason) == (champion.number, "better")
        else:
            registry.sync_mlflow_alias(name)
        now = model_versions.champion_version(name)
        assert now is not None and alias_of(name) == str(now.number)
        assert len(registered(name)) == len(set(registered(name)))
        if done:
            assert k > len(WRITES) - 1
            return


def test_without_a_tracker_zenml_alone_is_asked(name: str, predictor: Predictor, folder: Path, tmp_path: Path) -> None:
    assert mlflow.active_run() is None
    registry.promote_in_registry(version(name, predictor), folder, "gate", "the first")
    assert stages(name) == {1: "production"}


def test_a_champion_of_a_run_without_a_tracker_is_registered_by_the_next(
    name: str, predictor: Predictor, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    registry.promote_in_registry(version(name, predictor), folder, "gate", "the first")
    request.getfixturevalue("tracked")
    registry.sync_mlflow_alias(name)
    assert (alias_of(name), registered(name)) == ("1", ["1"])


def test_an_alias_goes_with_the_champion_that_is_given_up(
    name: str, predictor: Predictor, folder: Path, tracked: None
) -> None:
    registry.promote_in_registry(version(name, predictor), folder, "gate", "the first")
    Client().get_model_version(name, 1).set_stage("archived")
    registry.sync_mlflow_alias(name)
    assert (alias_of(name), registered(name)) == (None, ["1"])


def test_a_promotion_meanwhile_is_seen(
    name: str, predictor: Predictor, folder: Path, tracked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run promotes between our look at the stage and our setting of the alias."""
    registry.promote_in_registry(version(name, predictor), folder, "gate", "the first")
    other, point = version(name, predictor), mlflow_alias.set_alias

    def overtaken(model: str, number: str) -> None:
        monkeypatch.setattr(mlflow_alias, "set_alias", point)
        registry.promote_in_registry(other, folder, "gate", "meanwhile")
        point(model, number)

    monkeypatch.setattr(mlflow_alias, "set_alias", overtaken)
    registry.sync_mlflow_alias(name)
    assert (alias_of(name), stages(name)) == ("2", {1: "archived", 2: "production"})


def test_a_predictor_comes_back_as_it_was_and_its_loss_is_told(name: str, predictor: Predictor, folder: Path) -> None:
    made = version(name, predictor)
    assert model_versions.load_predictor(made).digest() == predictor.digest()
    place = Path(made.get_artifact("predictor").uri)
    place.rename(place.with_name(f"{place.name} aside"))
    with pytest.raises(InputError, match=rf"^the files of {name}:1 are gone from {place}; put them back, or choose"):
        model_versions.load_predictor(made)
    made.set_stage("production")
    with pytest.raises(InputError, match=rf"^the files of the champion {name}:1 are gone from {place}; put them back"):
        model_versions.load_predictor(Client().get_model_version(name, 1))
