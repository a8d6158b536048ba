"""Names with one meaning, files and functions worth their place."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("credence", "bentos", "cli", "steps", "stacks", "pipelines", "materializers")
MIN_LINES = 25
MAY_BE_SHORT = (  # one kind, step or pipeline a file, however short
    "credence/models/kinds",
    "credence/data/sources",
    "credence/generation/providers",
    "materializers",
    "pipelines",
    "stacks",
    "steps",
)
# The same thing by the same name: a protocol's functions, and steps named for the function that they call.
ONE_MEANING = {
    "load": "a saved thing from its folder",
    "main": "the entry of a command",
    "parser": "a command's arguments",
    "make": "proposes one statement of a category",
    "render": "a page as HTML",
    "key_figures": "the figures at the head of a page",
    "train": "the public call, and the loop over epochs that it reaches for networks",
    "model": "a NumPyro or Pyro model of the same equations",
    "sample": "draws of a posterior",
    "check_rows": "the step is named for its function",
    "build_bento": "the step is named for its function",
    "is_prime": "checker and features share no code, so that neither repeats the other's mistake",
    "is_square": "as is_prime",
    "mask_numbers": "as is_prime",
}


def files() -> list[Path]:
    return [file for part in PARTS for file in sorted((ROOT / part).rglob("*.py"))]


def public(*kinds: type[ast.AST]) -> dict[str, list[str]]:
    """The modules that define each public name of these kinds."""
    found = defaultdict(list)
    for file in files():
        for node in ast.parse(file.read_text()).body:
            name = getattr(node, "name", "_")
            if isinstance(node, kinds) and not name.startswith("_"):
                found[name].append(str(file.relative_to(ROOT)))
    return found


def test_no_class_name_has_two_meanings() -> None:
    assert {name: where for name, where in public(ast.ClassDef).items() if len(where) > 1} == {}


def test_no_function_name_has_two_meanings() -> None:
    found = public(ast.FunctionDef, ast.AsyncFunctionDef)
    assert {n: where for n, where in found.items() if len(where) > 1 and n not in ONE_MEANING} == {}


def test_no_file_is_a_crumb() -> None:
    for file in files():
        name = str(file.relative_to(ROOT))
        if file.stem not in ("__init__", "__main__") and not name.startswith(MAY_BE_SHORT):
            assert len(file.read_text().splitlines()) >= MIN_LINES, f"{name} is a crumb: fold it into a neighbour"


def test_a_private_function_is_shorter_to_call_than_to_write() -> None:
    """A private function that is called once and is no longer than its call belongs where it is called."""
    assert [wasted for file in files() for wasted in longer_calls(file)] == []


def longer_calls(file: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    calls = {n.func.id: n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for node in nodes
        if isinstance(node, ast.FunctionDef) and node.name.startswith("_") and names.count(node.name) == 1
        if node.name in calls and len(node.body) == 1 and isinstance(node.body[0], ast.Return) and node.body[0].value
        if len(ast.unparse(node.body[0].value)) <= len(ast.unparse(calls[node.name]))
    ]
