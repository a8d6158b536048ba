"""The import law: which part of the project may import which. docs/explanation/architecture.md explains it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each line may import itself and every line below it; names on one line do not import one another.
LAYERS = (
    ("run",),
    ("cli",),
    ("pipelines",),
    (
        "steps.training",
        "steps.deployment",
        "steps.inference",
        "steps.monitoring",
        "steps.promotion",
        "steps.generation",
    ),
    ("steps.shared",),
    ("materializers",),
    ("credence.training_run", "credence.classifier"),
    ("credence.dry_run", "credence.task_schema"),
    ("credence.experiment",),
    ("credence.task",),
    ("credence.production", "credence.generation"),
    ("credence.reporting",),
    ("credence.evaluation",),
    ("credence.predictor",),
    ("credence.models.kinds",),
    ("credence.models.transformer", "credence.models.bayes"),
    ("credence.models.pretrained", "credence.models.relations"),
    ("credence.models.neural",),
    ("credence.models.training", "credence.models.tabular", "credence.models.expectation"),
    ("credence.model",),
    ("credence.data",),
    ("credence.statistics", "credence.security"),
    ("credence.core",),
)
# The service is a tower of its own beside the pipelines.
SERVICE_LAYERS = (
    ("bentos.service", "bentos.__main__"),
    ("bentos.api",),
    ("bentos.rollout",),
    ("bentos.runtime",),
    ("bentos.packaging",),
    ("bentos.schema", "bentos.settings"),
)
LIBRARIES = {
    "credence": {"zenml", "bentoml", "mlflow"},
    "materializers": {"bentoml"},
    "steps": {"bentoml"},
    "pipelines": {"bentoml", "mlflow"},
    "stacks": {"bentoml", "mlflow"},
    "bentos": {"zenml", "mlflow", "torch"},
}
Import = tuple[str, int]


def modules(*folders: str) -> dict[str, Path]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    return {name_of(file): file for file in files}


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> Iterator[Import]:
    """Every imported module, `from a import b` as a.b, with its line."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def layer_of(module: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    """The number of a module's line, counted from the top, and the name on it that covers the module."""
    found = [(i, n) for i, names in enumerate(layers) for n in names if f"{module}.".startswith(f"{n}.")]
    return max(found, key=lambda pair: len(pair[1]), default=None)


def breaches(layers: tuple[tuple[str, ...], ...], *folders: str) -> list[str]:
    found = []
    for module, file in modules(*folders).items():
        here = layer_of(module, layers)
        for target, line in imports(file):
            there = layer_of(target, layers)
            if here and there and here[1] != there[1] and there[0] <= here[0]:
                found.append(f"{file.relative_to(ROOT)}:{line}: {here[1]} may not import {there[1]}")
    return found


def test_no_import_goes_up() -> None:
    assert not breaches(LAYERS, "credence", "materializers", "steps", "pipelines", "cli")


def test_no_import_of_the_service_goes_up() -> None:
    assert not breaches(SERVICE_LAYERS, "bentos")


def test_every_module_has_its_line() -> None:
    faces = {"credence", "steps", "bentos", "credence.models"}  # package faces, which import nothing of the layers
    layered = modules("credence", "materializers", "steps", "pipelines", "cli")
    assert [m for m in layered if m not in faces and layer_of(m, LAYERS) is None] == []
    assert [m for m in modules("bentos") if m not in faces and layer_of(m, SERVICE_LAYERS) is None] == []


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("credence", {"cli", "pipelines", "steps", "materializers", "stacks", "bentos", "benchmarks", "tests"}),
        ("bentos", {"cli", "pipelines", "steps", "materializers", "stacks", "benchmarks", "tests"}),
        ("steps", {"cli", "pipelines", "stacks", "bentos", "benchmarks", "tests"}),
        ("pipelines", {"cli", "stacks", "bentos", "benchmarks", "tests"}),
        ("cli", {"bentos", "benchmarks", "tests"}),
        ("stacks", {"credence", "cli", "pipelines", "steps", "materializers", "bentos", "benchmarks", "tests"}),
    ],
)
def test_towers_stand_apart(folder: str, forbidden: set[str]) -> None:
    """`stacks` knows ZenML alone, the service knows credence alone, and credence knows neither of them."""
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {folder} may not import {target}"
        for file in modules(folder).values()
        for target, line in imports(file)
        if target.partition(".")[0] in forbidden | LIBRARIES.get(folder, set())
    ]
    assert not wrong


def test_the_law_names_the_offending_line(tmp_path: Path) -> None:
    here, there = layer_of("credence.core.hashing", LAYERS), layer_of("credence.predictor", LAYERS)
    assert here and there and here[0] > there[0]
    assert layer_of("credence.models.kinds.logistic", LAYERS) == (14, "credence.models.kinds")
    assert [line for _, line in imports(Path(__file__))] == [3, 4, 5, 7]
