"""Find the packages that serving a predictor needs from the imports of our code; pin the installed versions."""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from itertools import chain, filterfalse
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from credence.core.registry import available_kinds

ROOT = Path(__file__).parents[2]
OWN_PACKAGES = ("bentos", "credence")
# Needed without an import in our code: uvicorn uses the first two, pandas reads Parquet with the third.
IMPLICIT_PACKAGES = ("uvloop", "httptools", "pyarrow")
TORCH_WHEELS = "https://download.pytorch.org/whl/"


def pinned_requirements(folder: Path) -> list[str]:
    """List `name==version` of all packages needed to serve a saved predictor, dependencies included."""
    modules = {"bentos.service", *(f"credence.models.kinds.{kind}" for kind in kinds_in(folder))}
    found = closure([*IMPLICIT_PACKAGES, *distributions(third_party(modules))])
    return [f"{name}=={metadata.version(name)}" for name in sorted(found)]


def extra_indexes(pins: Iterable[str]) -> list[str]:
    """List the package indexes, beside PyPI, of pins with a local version such as 2.13.0+cpu."""
    return sorted({TORCH_WHEELS + pin.rpartition("+")[2] for pin in pins if "+" in pin})


def kinds_in(folder: Path) -> set[str]:
    """Collect the model kinds of a saved predictor, ensemble members included."""
    files = folder.rglob("model.json")
    return {kind for file in files for kind in _kinds(json.loads(file.read_text()))} & set(available_kinds("models"))


def _kinds(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (v for k, v in value.items() if k == "kind" and isinstance(v, str))
        value = list(value.values())
    if isinstance(value, list):
        yield from (kind for v in value for kind in _kinds(v))


def third_party(modules: Iterable[str]) -> set[str]:
    """Collect the top-level modules, not ours, that our `modules` import directly or through others of ours."""
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        if (module := waiting.pop()) not in seen:
            seen.add(module)
            waiting += [name for name in _imports(module) if _file(name)]
    return {name.partition(".")[0] for module in seen for name in _imports(module)} - set(OWN_PACKAGES)


@cache
def _imports(module: str) -> frozenset[str]:
    """Collect the absolute names that one of our modules imports, and its own package."""
    found = {module.rpartition(".")[0]} - {""}
    tree = ast.parse((_file(module) or Path()).read_text(encoding="utf-8"))
    for node in chain.from_iterable(map(ast.walk, filterfalse(_is_for_types_only, tree.body))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def _is_for_types_only(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"


def _file(module: str) -> Path | None:
    """Find the source file of one of our modules; None for other modules and for names that are no modules."""
    path = ROOT.joinpath(*module.split("."))
    options = (path.with_suffix(".py"), path / "__init__.py") if module.partition(".")[0] in OWN_PACKAGES else ()
    return next((file for file in options if file.is_file()), None)


def distributions(modules: Iterable[str]) -> set[str]:
    """Find the installed distributions of top-level modules; the standard library's have none."""
    return {name for module in modules for name in _distributions_by_module().get(module, [])}


@cache
def _distributions_by_module() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def closure(found: Iterable[str]) -> set[str]:
    """Add all installed dependencies to the given distributions; returns canonical names."""
    seen: set[str] = set()
    waiting = [(canonicalize_name(name), frozenset[str]()) for name in found]
    while waiting:
        name, extras = waiting.pop()
        if name not in seen or extras:
            seen.add(name)
            waiting += [r for r in _needs(name, extras) if r[0] not in seen]
    return seen


def _needs(name: str, extras: frozenset[str]) -> Iterator[tuple[NormalizedName, frozenset[str]]]:
    for requirement in map(Requirement, metadata.requires(name) or []):
        applies = not requirement.marker or any(requirement.marker.evaluate({"extra": e}) for e in ("", *extras))
        if applies and _installed(requirement.name):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


@cache
def _installed(name: str) -> bool:
    return next(iter(metadata.distributions(name=name)), None) is not None
