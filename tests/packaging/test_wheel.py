"""The wheel holds every package and data file, and its metadata names the distribution, its extras and its command."""

import email
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("credence", "cli", "pipelines", "steps", "materializers", "stacks", "bentos")
MAPPED = {"prompts": "credence/prompts", "tasks": "credence/tasks"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXTS = (".py", ".md", ".toml", ".yaml", ".yml", ".j2", ".ipynb")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(folder.glob("credence_ml-*.whl")))


def tracked(folder: str) -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


@pytest.mark.parametrize("folder", [*PACKAGES, *MAPPED])
def test_every_file_of_a_folder_is_in_the_wheel(wheel: zipfile.ZipFile, folder: str) -> None:
    wanted = {name.replace(folder, MAPPED.get(folder, folder), 1) for name in tracked(folder)}
    assert wanted
    assert wanted <= set(wheel.namelist())


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops - {f"credence_ml-{PROJECT['version']}.dist-info"} == set(PACKAGES)
    assert "credence/py.typed" in wheel.namelist()


def test_the_metadata_names_the_distribution_and_its_extras(wheel: zipfile.ZipFile) -> None:
    info = f"credence_ml-{PROJECT['version']}.dist-info"
    metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Name"] == "credence-ml"
    assert {"train", "text", "bayes", "llm", "serve", "pipelines", "all"} <= set(metadata.get_all("Provides-Extra", []))
    assert "credence = cli.main:run_and_exit" in wheel.read(f"{info}/entry_points.txt").decode()


def test_a_plain_installation_needs_none_of_the_large_libraries() -> None:
    plain = {re.split(r"[\[<>=]", d)[0] for d in PROJECT["dependencies"]}
    assert not plain & {"zenml", "mlflow", "bentoml", "torch", "jax", "matplotlib", "evidently"}


def test_no_text_installs_the_stranger_who_has_the_name_credence() -> None:
    for name in tracked("."):
        if name.endswith(TEXTS):
            text = (ROOT / name).read_text(encoding="utf-8")
            wrong = re.search(r"pip install ['\"]?credence(?![-\w])", text)
            assert not wrong, f"{name} says {wrong and wrong[0]!r}; the distribution is called credence-ml"
