"""Which packages serving a predictor needs, read off the code that serves it and pinned to what is installed."""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from credence.core.registry import available_kinds

ROOT = Path(__file__).parents[2]
OWN_PACKAGES = ("bentos", "credence")
# Used without an import of ours: uvicorn picks up the first two, pandas reads parquet with the third.
IMPLICIT_PACKAGES = ("uvloop", "httptools", "pyarrow")
TORCH_WHEELS = "https://download.pytorch.org/whl/"


def pinned_requirements(folder: Path) -> list[str]:
    """`name==version` of everything that serving the predictor in `folder` imports, and of what that needs in turn."""
    modules = {"bentos.service", *(f"credence.models.kinds.{kind}" for kind in kinds_in(folder))}
    found = closure([*IMPLICIT_PACKAGES, *distributions(third_party(modules))])
    return [f"{name}=={metadata.version(name)}" for name in sorted(found)]


def extra_indexes(pins: Iterable[str]) -> list[str]:
    """The package index beside PyPI that local versions such as 2.13.0+cpu come from."""
    return sorted({TORCH_WHEELS + pin.rpartition("+")[2] for pin in pins if "+" in pin})


def kinds_in(folder: Path) -> set[str]:
    """Every model kind that a saved predictor names, also inside ensembles."""
    files = folder.rglob("model.json")
    return {kind for file in files for kind in _kinds(json.loads(file.read_text()))} & set(available_kinds("models"))


def _kinds(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (v for k, v in value.items() if k == "kind" and isinstance(v, str))
        value = list(value.values())
    if isinstance(value, list):
        yield from (kind for v in value for kind in _kinds(v))


def third_party(modules: Iterable[str]) -> set[str]:
    """The top-level names that these modules of ours import, directly or through other modules of ours."""
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        if (module := waiting.pop()) not in seen:
            seen.add(module)
            waiting += [name for name in _imports(module) if _file(name)]
    return {name.partition(".")[0] for module in seen for name in _imports(module)} - set(OWN_PACKAGES)


@cache
def _imports(module: str) -> frozenset[str]:
    """Absolute names of all modules that a module of ours imports, and of the packages above them."""
    found = {module.rpartition(".")[0]} - {""}
    for node in ast.walk(ast.parse((_file(module) or Path()).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def _file(module: str) -> Path | None:
    """Where a module of ours is written; None for everyone else's, and for names that are no modules."""
    path = ROOT.joinpath(*module.split("."))
    options = (path.with_suffix(".py"), path / "__init__.py") if module.partition(".")[0] in OWN_PACKAGES else ()
    return next((file for file in options if file.is_file()), None)


def distributions(modules: Iterable[str]) -> set[str]:
    """The installed distributions that hold these top-level modules; the standard library's are in none."""
    return {name for module in modules for name in _holders().get(module, [])}


@cache
def _holders() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def closure(found: Iterable[str]) -> set[str]:
    """These distributions and every installed one that they need, in their canonical names."""
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
