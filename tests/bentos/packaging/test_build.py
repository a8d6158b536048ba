"""From a saved predictor to a bento: what is copied, what it will need, and what can go wrong on the way."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import bentoml
import pytest

from bentos.packaging.build import (
    bento_version,
    build_bento,
    find_stored,
    store_errors_as_input_errors,
    store_predictor,
    stored_info,
    write_context,
)
from bentos.packaging.requirements import (
    closure,
    distributions,
    extra_indexes,
    kinds_in,
    pinned_requirements,
    third_party,
)
from credence.core.errors import InputError
from credence.core.hashing import folder_digest
from credence.core.registry import available_kinds
from credence.predictor import Predictor
from tests.support.serving_cases import kept, trained
from tests.support.small_kinds import small

ROOT = Path(__file__).parents[3]
NEVER = {
    "zenml",
    "mlflow",
    "evidently",
    "torch",
    "transformers",
    "openai",
    "anthropic",
    "optuna",
    "datasets",
    "matplotlib",
    "crepes",
}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return trained(small("logistic"), "built")[0]


@pytest.fixture(scope="module")
def folder(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept(predictor, tmp_path_factory.mktemp("build") / "predictor", card="# A card")


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_the_store_holds_the_whole_folder(folder: Path) -> None:
    tag = store_predictor(folder, "whole", "3", {"run": "r-17", "rows": 240})
    model = bentoml.models.get(tag)
    assert tag == "whole:3"
    assert {name: content for name, content in files(Path(model.path)).items() if name != "model.yaml"} == files(folder)
    assert model.info.metadata == {"run": "r-17", "rows": 240}
    assert Predictor.load(Path(model.path)).digest() == Predictor.load(folder).digest()


def test_the_same_twice_is_one_model(folder: Path) -> None:
    tags = [store_predictor(folder, "twice", "1") for _ in range(2)]
    assert tags == ["twice:1"] * 2
    assert len(bentoml.models.list("twice")) == 1


def test_a_version_never_changes_its_content(folder: Path, predictor: Predictor, tmp_path: Path) -> None:
    store_predictor(folder, "fixed", "1")
    other = kept(predictor, tmp_path / "other", card="# Another card")
    with pytest.raises(InputError, match=r"^fixed:1 is already stored with other content; give a new version, or"):
        store_predictor(other, "fixed", "1")
    assert store_predictor(other, "fixed", "2") == "fixed:2"
    assert str(bentoml.models.get("fixed:latest").tag) == "fixed:2"


@pytest.mark.parametrize(
    ("name", "version"), [("a b", "1"), ("", "1"), ("x" * 64, "1"), ("a", "v/1"), ("a", "-1"), ("..", "1")]
)
def test_a_tag_that_bentoml_refuses_is_one_sentence(folder: Path, name: str, version: str) -> None:
    with pytest.raises(InputError, match=r"is no tag; expected at most 63 of a-z"):
        store_predictor(folder, name, version)


def test_a_folder_without_a_predictor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no predictor\.json; expected a folder that Predictor\.save wrote"):
        store_predictor(tmp_path, "nothing", "1")
    with pytest.raises(InputError, match=r"no model 'never:1' in BentoML's store; store it first"):
        build_bento("never:1")


def test_the_requirements_are_pinned_to_what_is_installed(folder: Path) -> None:
    pins = dict(line.split("==") for line in pinned_requirements(folder))
    assert {
        "bentoml",
        "uvloop",
        "httptools",
        "numpy",
        "pandas",
        "pyarrow",
        "scikit-learn",
        "skops",
        "pydantic",
    } <= set(pins)
    assert not NEVER & set(pins)
    assert pins == {name: metadata.version(name) for name in pins}


WITH_THE_PINNED_ALONE = """
import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions
from pathlib import Path
from packaging.utils import canonicalize_name

holders, pinned = packages_distributions(), set(sys.argv[2].split())

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        owners = {canonicalize_name(owner) for owner in holders.get(name.partition(".")[0], [])}
        if owners and not owners & pinned:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import bentoml
from bentos.service import credence_service
from credence.evaluation.explain import explain_rows

service = credence_service(bentoml.models.get(sys.argv[1]))
service.to_asgi()
desk = service.inner()
predictor = desk.model_watcher.router.champion.predictor
assert explain_rows(predictor, predictor.reference.head(1))
desk.close()
"""


@pytest.mark.parametrize("kind", ["stacking", "tfidf"])
def test_the_requirements_are_all_that_serving_needs(kind: str, tmp_path: Path) -> None:
    folder = kept(trained(small(kind), kind)[0], tmp_path / "predictor")
    pinned = " ".join(line.split("==")[0] for line in pinned_requirements(folder))
    command = [sys.executable, "-c", WITH_THE_PINNED_ALONE, store_predictor(folder, f"pinned_{kind}", "1"), pinned]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_kind_finds_its_requirements() -> None:
    for kind in available_kinds("models"):
        found = closure(distributions(third_party({f"credence.models.kinds.{kind}"})))
        assert {"numpy", "pandas", "pydantic"} <= found, kind
        assert not {"zenml", "mlflow", "bentoml"} & found, kind


def test_kinds_inside_a_committee_are_found(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    members = [{"kind": "logistic", "C": 1.0}, {"kind": "tfidf"}, {"kind": "no such kind"}]
    (tmp_path / "model" / "model.json").write_text(
        json.dumps({"kind": "voting", "members": members, "kinds": ["adaboost"]})
    )
    assert kinds_in(tmp_path) == {"voting", "logistic", "tfidf"}


def test_local_versions_name_their_index() -> None:
    assert extra_indexes(["numpy==2.4.6", "torch==2.13.0+cpu", "torchvision==0.28.0+cpu"]) == [
        "https://download.pytorch.org/whl/cpu"
    ]
    assert extra_indexes(["numpy==2.4.6"]) == []


def test_extras_of_a_requirement_are_followed() -> None:
    assert "h11" in closure(["httpx"])
    assert closure(["Scikit_Learn"]) >= {"scikit-learn", "scipy", "joblib", "threadpoolctl", "numpy"}


def test_the_context_holds_our_packages_and_one_pointer(folder: Path, tmp_path: Path) -> None:
    write_context(tmp_path, bentoml.models.get(store_predictor(folder, "context", "7")))
    assert {f.name for f in tmp_path.iterdir()} == {"bentofile.yaml", "bentos", "credence"}
    assert not list(tmp_path.rglob("__pycache__"))
    assert json.loads((tmp_path / "bentos" / "bento.json").read_text()) == {"model": "context:7"}
    config = json.loads((tmp_path / "bentofile.yaml").read_text())
    assert config["labels"] == {"task": "built", "version": "7", "digest": folder_digest(folder)}
    assert config["python"]["lock_packages"] is False
    assert not (ROOT / "bentos" / "bento.json").exists()


def test_a_long_name_still_makes_a_version(folder: Path) -> None:
    model = bentoml.models.get(store_predictor(folder, "n" * 60, "12345"))
    version = bento_version(model, "0123456789abcdef")
    assert len(version) == 63
    assert version.endswith("-12345-01234567")


def test_a_bento_is_built_without_a_network_and_a_rollback_is_the_latest(
    folder: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for package in ("credence", "bentos"):
        shutil.copytree(ROOT / package, tmp_path / package)
    monkeypatch.setattr("bentos.packaging.build.ROOT", tmp_path)
    first = build_bento(store_predictor(folder, "built", "1"))
    bento = bentoml.bentos.get(first)
    assert first.startswith("credence:built-1-")
    assert (bento.info.labels["task"], bento.info.labels["version"]) == ("built", "1")
    assert [str(m.tag) for m in bento.info.all_models] == ["built:1"]
    assert {f.name for f in Path(bento.path_of("src")).iterdir()} == {"bentofile.yaml", "bentos", "credence"}
    assert "age (years)" in Path(bento.path_of("apis/openapi.yaml")).read_text()
    needed = Path(bento.path_of("env/python/requirements.txt")).read_text().splitlines()
    assert set(pinned_requirements(folder)) <= set(needed)
    assert not NEVER & {line.split("==")[0] for line in needed}
    assert Path(bento.path_of("README.md")).read_text() == predictor.info.question

    assert build_bento("built:1") == first
    assert bentoml.bentos.get(first).info.creation_time == bento.info.creation_time
    second = build_bento(store_predictor(kept(predictor, tmp_path / "second", card="# Other"), "built", "2"))
    assert str(bentoml.bentos.get("credence:latest").tag) == second != first
    assert build_bento("built:1") == first
    assert str(bentoml.bentos.get("credence:latest").tag) == first
    assert {str(b.tag) for b in bentoml.bentos.list("credence")} >= {first, second}


def test_a_build_that_fails_says_why(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = store_predictor(folder, "failing", "1")
    monkeypatch.setenv("CREDENCE_WORKERS", "many")
    with pytest.raises(
        InputError, match=r"^the bento was not built: .*CREDENCE_WORKERS is 'many'; expected a whole number"
    ):
        build_bento(tag)


STORE = """
import resource, sys
from pathlib import Path
from bentos.packaging.build import store_predictor
assert not {"pandas", "sklearn", "torch", "zenml", "mlflow"} & set(sys.modules), "importing it takes long"
from credence.core.errors import InputError
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    store_predictor(Path(sys.argv[1]), "x", "1")
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(("how", "why"), [("full", "File too large"), ("file", "Not a directory")])
def test_a_store_that_cannot_be_written_is_one_sentence(how: str, why: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    home = tmp_path / "home" if how == "full" else tmp_path / "file" / "home"
    command = [sys.executable, "-c", STORE, str(folder), how]
    env = {**os.environ, "BENTOML_HOME": str(home)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"cannot write BentoML's store in {home}: ")
    assert why in done.stdout
    assert done.stdout.strip().endswith("make room, or set BENTOML_HOME to another folder.")
    assert done.stdout.count("\n") == 1


def test_only_the_file_system_is_translated() -> None:
    with pytest.raises(ZeroDivisionError), store_errors_as_input_errors():
        _ = 1 / 0
    with pytest.raises(InputError, match=r"No space left on device \(/x\); make room"), store_errors_as_input_errors():
        raise OSError(28, "No space left on device", "/x")


def test_what_is_not_stored_is_none(folder: Path) -> None:
    assert find_stored(bentoml.Tag("never", "1")) is None
    assert stored_info(folder)["task"] == "built"
