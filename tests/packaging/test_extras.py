"""Every imported library has its place in an extra, and a missing one is told in a sentence with the pip command."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import credence
from bentos.packaging.requirements import closure
from credence.core.errors import InputError, MissingExtraError, import_for, user_message
from credence.core.extras import EXTRA_OF_LIBRARY, missing_library
from credence.core.registry import load_kind

ROOT = Path(__file__).parents[2]
PACKAGES = ("credence", "cli", "pipelines", "steps", "materializers", "stacks", "bentos")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
OPTIONAL = {"click"}  # stacks/names.py does without it
PREDICTORS = ROOT / "tests" / "compatibility" / "saved_by_0_1" / "predictors"
# Libraries of extras cannot be imported, as in an installation without extras.
PLAIN = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {sorted(set(EXTRA_OF_LIBRARY) - {"packaging", "psutil", "charset_normalizer"})}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
SCORE = f"""
import json
import pandas as pd
import credence
for name in ("logistic", "random_forest", "lightgbm", "bayesian_logistic", "tfidf", "hierarchical", "bagging"):
    told = json.load(open(f"{PREDICTORS}/{{name}}.json"))
    answers = credence.load(f"{PREDICTORS}/{{name}}").predict(pd.DataFrame(told["rows"]))
    for given, expected in zip(answers["probability"], told["answers"], strict=True):
        assert abs(given - expected["probability"]) < 1e-9, name
try:
    credence.load("{PREDICTORS}/bilstm")
except credence.InputError as error:
    print(error)
"""


def plain_python(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PLAIN + code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def requirements(names: list[str]) -> Iterator[str]:
    """The distributions of a list of requirements; extras of credence-ml itself are followed."""
    for requirement in map(Requirement, names):
        if requirement.name == PROJECT["name"]:
            for extra in requirement.extras:
                yield from requirements(EXTRAS[extra])
        else:
            yield requirement.name


def imported_libraries() -> set[str]:
    found: set[str] = set()
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - set(PACKAGES)


def holders(library: str) -> set[str]:
    """The canonical names of the distributions that install a library."""
    return {canonicalize_name(name) for name in metadata.packages_distributions().get(library, [])}


def test_every_imported_library_is_a_base_dependency_or_in_the_table() -> None:
    base = closure(requirements(PROJECT["dependencies"]))
    unknown = imported_libraries() - set(EXTRA_OF_LIBRARY) - OPTIONAL
    assert {library for library in unknown if not holders(library) & base} == set()


@pytest.mark.parametrize("library", sorted(EXTRA_OF_LIBRARY))
def test_the_extra_installs_the_library(library: str) -> None:
    extra = EXTRA_OF_LIBRARY[library]
    assert holders(library) & closure([*requirements(PROJECT["dependencies"]), *requirements(EXTRAS[extra])])


def test_all_holds_every_extra_of_a_user() -> None:
    named = set(requirements(EXTRAS["all"]))
    for extra in set(EXTRAS) - {"all", "dev", "docs", "minilm"}:
        assert set(requirements(EXTRAS[extra])) <= named, extra


@pytest.mark.parametrize(
    ("library", "family", "kind", "extra"),
    [
        ("torch", "models", "bilstm", "text"),
        ("sqlalchemy", "sources", "sql", "train"),
        ("openai", "providers", "openai", "llm"),
    ],
)
def test_a_kind_without_its_library_says_what_to_install(
    library: str, family: str, kind: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.endswith(f".{kind}") and n.startswith("credence.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError) as refused:
        load_kind.__wrapped__(family, kind)
    asked = f"{family[:-1]} kind {kind!r}"
    command = f"pip install 'credence-ml[{extra}]'"
    assert str(refused.value) == f"{asked} needs {library}, which is not installed: {command}."
    assert isinstance(refused.value, InputError)
    assert isinstance(refused.value, ImportError)


def test_a_command_without_its_library_says_what_to_install() -> None:
    error = RuntimeError("a step failed")
    error.__cause__ = ModuleNotFoundError("No module named 'zenml'", name="zenml")
    assert user_message(error) == (
        "this command needs zenml, which is not installed: pip install 'credence-ml[pipelines]'."
    )


@pytest.mark.parametrize("name", ["numpy", "torch._C", "credence.nonsense", None])
def test_other_import_errors_stay_bugs(name: str | None) -> None:
    assert missing_library(ModuleNotFoundError("No module", name=name)) is None


def test_a_module_of_ours_that_is_missing_is_a_bug() -> None:
    with pytest.raises(ModuleNotFoundError, match="nonsense"):
        import_for("a test", "credence.nonsense")


def test_without_extras_saved_predictors_answer_as_they_did() -> None:
    done = plain_python(SCORE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith("model kind 'bilstm' needs torch")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, ""),
        (["--task", "nope"], 2, "there is no tasks/nope.yaml"),
        ([], 2, "pip install 'credence-ml[train]'"),
        (["--pipeline", "promotion", "--history"], 2, "pip install 'credence-ml[pipelines]'"),
    ],
)
def test_the_command_without_extras(arguments: list[str], code: int, said: str) -> None:
    done = plain_python("from cli.main import run_and_exit\nrun_and_exit()", *arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_public_names_are_found_when_they_are_used() -> None:
    assert credence.Task.__module__ == "credence.task"
    assert {"Model", "Predictor", "InputError", "load"} <= set(dir(credence))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        credence.nonsense  # noqa: B018
    with pytest.warns(DeprecationWarning, match=r"credence\.BadInput is now credence\.InputError"):
        assert credence.BadInput is InputError


def test_importing_credence_imports_no_library() -> None:
    code = "import sys, credence; print([m for m in ('numpy', 'pandas', 'pydantic', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
