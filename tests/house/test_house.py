"""The house rules, checked: who may import whom, how big things may grow, what must be documented."""

import ast
import re
import statistics
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from credence.core.registry import available_kinds
from credence.task import Task

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "credence": {"zenml", "bentoml", "mlflow", "steps", "pipelines", "materializers", "stacks", "bentos"},
    "materializers": {"bentoml", "steps", "pipelines", "stacks", "bentos"},
    "steps": {"pipelines", "stacks", "bentos", "bentoml"},
    "pipelines": {"bentos", "stacks", "bentoml", "mlflow"},
    "stacks": {"credence", "steps", "pipelines", "materializers", "bentos", "bentoml", "mlflow"},
    "bentos": {"zenml", "mlflow", "steps", "pipelines", "materializers", "stacks", "torch"},
}
PACKAGE = [*FORBIDDEN]
ALLOWED_LINES = {"credence": 250, "steps": 110, "pipelines": 60, "bentos": 250, "materializers": 60, "stacks": 110}
BANNED_NAMES = {"utils", "helpers", "common", "manager", "handler", "misc"}


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    return {n.split(".")[0] for n in plain | {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module}}


def functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of signature and body; the docstring, which lists every parameter, is not counted."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    return lines - ((first.end_lineno or 0) - first.lineno + 1 if documented else 0)


def code_lines(paths: list[Path]) -> int:
    lines = (line.strip() for f in paths for line in f.read_text().splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("folder", PACKAGE)
def test_imports_point_one_way(folder: str) -> None:
    for file in files(folder):
        wrong = imports(file) & FORBIDDEN[folder]
        assert not wrong, f"{file.relative_to(ROOT)} may not import {wrong}"


def test_a_step_imports_no_other_step() -> None:
    shared = {"record", "registry", "alias", "packaging", "versions", "audit", "succession", "stored"}
    steps = {f.stem for f in files("steps")} - shared - {"__init__"}
    for file in files("steps"):
        tree = ast.walk(ast.parse(file.read_text()))
        modules = {n.module for n in tree if isinstance(n, ast.ImportFrom) and n.module}
        assert not modules & {f"steps.{s}" for s in steps}, f"{file.name} imports another step"


@pytest.mark.parametrize("folder", PACKAGE)
def test_functions_stay_small(folder: str) -> None:
    for file in files(folder):
        for function in functions(file):
            assert length(function) <= 50, f"{file.relative_to(ROOT)}:{function.lineno} {function.name} is too long"


def test_the_median_function_has_ten_lines_at_most() -> None:
    lengths = [length(f) for folder in PACKAGE for file in files(folder) for f in functions(file)]
    assert statistics.median(lengths) <= 10


@pytest.mark.parametrize("folder", PACKAGE)
def test_files_hold_one_idea(folder: str) -> None:
    for file in files(folder):
        assert len(file.read_text().splitlines()) <= ALLOWED_LINES[folder], f"{file.relative_to(ROOT)} is too long"
        assert file.stem not in BANNED_NAMES, f"{file.relative_to(ROOT)}: name it for what it does"
        assert ast.get_docstring(ast.parse(file.read_text())), f"{file.relative_to(ROOT)} does not say what it is for"


def test_public_functions_say_what_they_do() -> None:
    for folder in PACKAGE:
        for file in files(folder):
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    assert ast.get_docstring(node), (
                        f"{file.relative_to(ROOT)}:{node.lineno} {node.name} has no docstring"
                    )


def test_nothing_of_ours_is_pickled() -> None:
    for folder in PACKAGE:
        for file in files(folder):
            assert not imports(file) & {"pickle", "joblib", "cloudpickle", "dill"}, file


def test_there_is_at_least_as_much_test_as_package() -> None:
    assert code_lines(files("tests")) >= code_lines(files("credence"))


@pytest.mark.parametrize("task", sorted((ROOT / "tasks").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_task_parses(task: Path) -> None:
    assert Task.read(task).name == task.stem


@pytest.mark.parametrize(("family", "page"), [("models", "models.md"), ("sources", "sources.md")])
def test_every_kind_is_documented(family: str, page: str) -> None:
    text = (ROOT / "docs" / "reference" / page).read_text()
    for kind in available_kinds(family):
        assert f"`{kind}`" in text, f"docs/reference/{page} does not speak of {kind}"


def test_the_lock_covers_every_dependency() -> None:
    locked = {
        line.split("==")[0].lower() for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    assert {re.split(r"[\[<>=]", d)[0].lower() for d in declared} - {project["name"]} <= locked


def test_the_tree_holds_no_stray_files() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert not [f for f in tracked if f.endswith((".pkl", ".joblib", ".db", ".log", ".pyc"))]
