"""Stacks as YAML: they register once, placeholders are refused, and filled in ZenML takes them as they are."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks import names
from stacks.activate import StackNotReady, activate_stack, describe_stack
from tests.support.project_copy import Project

FLAVORS = {
    ("orchestrator", "local"): "zenml.orchestrators.local.local_orchestrator.LocalOrchestratorConfig",
    ("orchestrator", "kubernetes"): (
        "zenml.integrations.kubernetes.flavors.kubernetes_orchestrator_flavor.KubernetesOrchestratorConfig"
    ),
    ("artifact_store", "local"): "zenml.artifact_stores.local_artifact_store.LocalArtifactStoreConfig",
    ("artifact_store", "s3"): "zenml.integrations.s3.flavors.s3_artifact_store_flavor.S3ArtifactStoreConfig",
    ("container_registry", "default"): "zenml.container_registries.base_container_registry.BaseContainerRegistryConfig",
    ("image_builder", "local"): "zenml.image_builders.local_image_builder.LocalImageBuilderConfig",
    ("experiment_tracker", "mlflow"): (
        "zenml.integrations.mlflow.flavors.mlflow_experiment_tracker_flavor.MLFlowExperimentTrackerConfig"
    ),
}
ASK = """
import json
from stacks.activate import has_tracker, activate_stack
from stacks.names import available_stacks
from zenml.client import Client
before = available_stacks()
client = Client()
# as a first run leaves the store that was killed while ZenML filled it
client.delete_flavor(str(client.get_flavor_by_name_and_type("mlflow", "experiment_tracker").id))
made = [activate_stack("local"), activate_stack("local")]
client, tracked = Client(), [has_tracker()]
active = client.active_stack_model.name
activate_stack("default")
tracked.append(has_tracker())
client.create_stack("mine", {r: c[0].id for r, c in client.active_stack_model.components.items()})
print("ASKED " + json.dumps({
    "before": before, "made": made, "active": active, "tracked": tracked, "offered": available_stacks(),
    "stacks": [s.name for s in client.list_stacks(size=100)],
    "components": [c.name for c in client.list_stack_components(size=100)],
}))
"""


def config_class(role: str, flavor: str) -> Any:
    """The pydantic class with which ZenML reads a component of that flavor; none of its libraries is needed."""
    module, _, name = FLAVORS[role, flavor].rpartition(".")
    return getattr(importlib.import_module(module), name)


def filled(content: dict[str, Any]) -> dict[str, Any]:
    """The components with a word in the place of every placeholder."""
    text = yaml.safe_dump(content["components"])
    found: dict[str, Any] = yaml.safe_load(re.sub("<[^>]+>", "mine", text))
    return found


@pytest.fixture
def secret() -> Iterator[None]:
    """The secret that the kubernetes stack reads."""
    from zenml.client import Client

    Client().create_secret("credence", {"mlflow_user": "me", "mlflow_password": "mine"})
    yield
    Client().delete_secret("credence")


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("stack", names.project_stacks())
def test_every_stack_is_made_of_components_that_zenml_takes(stack: str) -> None:
    for role, config in filled(describe_stack(stack)).items():
        settings = {k: v for k, v in config.items() if k != "flavor"}
        made = config_class(role, config["flavor"])(**settings)
        assert set(settings) <= set(type(made).model_fields), f"{stack}: {role}"
        told = {k: v for k, v in settings.items() if "{{" not in str(v)}
        assert {k: getattr(made, k) for k in told} == told, f"{stack}: {role}"


def test_kubernetes_settings_are_settings_of_zenml() -> None:
    from zenml.config import DockerSettings

    content = describe_stack("kubernetes")
    assert DockerSettings(**content["settings"]["docker"]).requirements == "requirements.lock"
    assert (names.HERE.parent / "requirements.lock").is_file()
    assert all("{{" + name + "." in str(content["components"]) for name in content["secrets"])


def test_placeholders_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        StackNotReady, match=r"^stacks/kubernetes\.yaml: components\.\w+\.\w+ is still '<\w+>'; put your"
    ):
        activate_stack("kubernetes")


def test_a_secret_that_is_not_there_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (names.HERE / "kubernetes.yaml").read_text()
    (tmp_path / "kubernetes.yaml").write_text(re.sub("<[^>]+>", "mine", text))
    monkeypatch.setattr(names, "FOLDERS", (tmp_path,))
    sentence = (
        "stacks/kubernetes.yaml: ZenML holds no secret 'credence'; create it: "
        "zenml secret create credence --mlflow_password=… --mlflow_user=…"
    )
    with pytest.raises(StackNotReady, match=f"^{re.escape(sentence)}$"):
        activate_stack("kubernetes")


def test_local_registers_once_and_what_is_offered_is_what_zenml_lists(tmp_path: Path) -> None:
    project = Project.copy(tmp_path)
    (tmp_path / "ask.py").write_text(ASK)
    answer = json.loads(project.python("ask.py"))
    assert answer["before"] == ["default", "kubernetes", "local"]
    assert answer["made"] == [{}, {}]
    assert answer["active"] == "credence-local"
    assert answer["tracked"] == [True, False]
    assert sorted(answer["stacks"]) == ["credence-local", "default", "mine"]
    assert set(answer["offered"]) == {*answer["stacks"], *names.project_stacks()}
    mine = [c for c in answer["components"] if c.startswith("credence-")]
    assert sorted(mine) == [f"credence-local-{r}" for r in ("artifact-store", "experiment-tracker", "orchestrator")]


def test_names_are_offered_before_there_is_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(tmp_path))
    assert names.available_stacks() == ["default", "kubernetes", "local"]
    assert list(tmp_path.iterdir()) == []
    store = tmp_path / "local_stores" / "default_zen_store" / "zenml.db"
    store.parent.mkdir(parents=True)
    store.touch()
    assert names.available_stacks() == ["default", "kubernetes", "local"]


def test_a_store_on_a_server_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(tmp_path))
    (tmp_path / "config.yaml").write_text("store:\n  type: rest\n  url: https://zenml.example.com\n")
    assert names.available_stacks() is None
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(tmp_path / "elsewhere"))
    assert names.available_stacks() is not None
    monkeypatch.setenv("ZENML_STORE_URL", "https://zenml.example.com")
    assert names.available_stacks() is None


def test_an_unknown_stack_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Also where ZenML's own server would have to be asked, and so nothing was known beforehand."""
    project = Project.copy(tmp_path)
    done = project.run("--stack", "locl")
    assert done.returncode == 2
    assert done.stderr == "error: --stack locl: no such stack. Did you mean 'local'?\n"
    assert not any((tmp_path / "stores/zenml").iterdir())


def test_the_tracker_of_the_local_stack_says_where_it_is(tmp_path: Path) -> None:
    """In processes of their own, over a store of their own: none before the local stack is used, SQLite after."""
    project = Project.copy(tmp_path)
    ask = (
        "import contextlib, io\nfrom stacks.tracker import main\n\n"
        "with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    code = main()\nprint('ASKED', out.getvalue().strip() or code)\n"
    )
    (project.folder / "before.py").write_text(ask)
    (project.folder / "after.py").write_text(
        f"from stacks.activate import activate_stack\n\nactivate_stack('local')\n{ask}"
    )
    assert project.python("before.py") == "2"
    assert project.python("after.py").startswith("sqlite:///")


def test_a_stack_that_only_a_server_could_know_is_refused_by_name() -> None:
    with pytest.raises(StackNotReady, match=r"--stack elsewhere: neither stacks/elsewhere\.yaml nor ZenML has it"):
        activate_stack("elsewhere")
