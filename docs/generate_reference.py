"""MkDocs hook: make the reference pages that the code itself determines.

Each function below returns one page as Markdown. `mkdocs build` adds them to the site; no generated page is stored.
"""

import argparse
import ast
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

METRIC_TYPES = ("Counter", "Gauge", "Histogram")
PUBLIC_API = {
    "credence": ("train", "load", "TrainingRun", "CredenceClassifier"),
    "credence.task": ("Task",),
    "credence.model": ("Model",),
    "credence.predictor": ("Predictor",),
    "credence.experiment": ("run_experiment", "Experiment"),
    "credence.production.batch": ("BatchJob", "score_job", "assemble_output"),
}


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those in docs/. Called by MkDocs."""
    from mkdocs.structure.files import File

    for address, page in PAGES.items():
        files.append(File.generated(config, address, content=page()))
    return files


def cli_page() -> str:
    """Every flag of run.py, from the parser itself."""
    from cli.flags import ABOUT_COMMAND, PIPELINES, parser

    found = parser(name="run.py")
    lines = ["# Command line", "", "Look up every flag of `run.py`. The same text: `python run.py --help`.", ""]
    lines += ["```text", (found.description or "").strip(), "```", ""]
    lines += ["## Commands", "", "| command | meaning |", "|---|---|"]
    lines += [f"| `{command}` | {_cell(about)} |" for command, about in ABOUT_COMMAND.items()]
    lines += ["", f"`--pipeline` takes: {', '.join(f'`{p}`' for p in PIPELINES)}.", ""]
    for group in found._action_groups:
        actions = [a for a in group._group_actions if a.option_strings]
        if actions:
            title = (group.title or "").partition(" (")[0]
            lines += [f"## {title[:1].upper()}{title[1:]}", "", "| flag | value | meaning |", "|---|---|---|"]
            lines += [_flag_row(a) for a in actions]
            lines.append("")
    return "\n".join([*lines, EXIT_CODES])


EXIT_CODES = """## Exit codes

| code | meaning |
|--:|---|
| 0 | done |
| 1 | a bug or a broken environment: a traceback is shown |
| 2 | the input cannot be used: one sentence says why ([errors](errors.md)) |
| 130 | interrupted by Ctrl-C or SIGTERM; the same command continues |
"""


def _flag_row(action: argparse.Action) -> str:
    names = ", ".join(f"`{o}`" for o in action.option_strings)
    value = f"`{action.metavar or action.dest.upper()}`" if action.nargs != 0 else ""
    return f"| {names} | {value} | {_cell(action.help or '')} |"


def task_keys_page() -> str:
    """Every key of a task, from the pydantic models that read it."""
    from credence.task import Task

    head = "Look up every key of a task, its type and its default. [Tasks and columns](tasks.md) explains them."
    lines = ["# Task keys", "", head, "", *_table(Task, "", skip={"name"})]
    for name, section in _sections(Task):
        lines += ["", f"## {name}", "", _first_line(section), "", *_table(section, f"{name}.")]
    return "\n".join(lines) + "\n"


def kind_parameters_page() -> str:
    """The parameters of every model, source and provider, with defaults and bounds."""
    from credence.core.registry import FAMILIES, available_kinds, load_kind

    lines = ["# Parameters of kinds", "", "Look up what a `kind` takes, with types, defaults and bounds.", ""]
    lines += ["Every model also takes `search` and `prequential`, see [Models](models.md).", ""]
    for family in FAMILIES:
        lines += [f"## {family.capitalize()}", ""]
        for kind in available_kinds(family):
            made = load_kind(family, kind)
            lines += [f"### {family}: {kind}", "", _first_line(made), "", *_table(made, ""), ""]
    return "\n".join(lines)


def endpoints_page() -> str:
    """The fields of requests and answers, from the service's own models."""
    from bentos.api.feedback import Feedback, FeedbackCount
    from bentos.schema import models

    lines = ["# Request and answer fields", "", "Look up the fields of every request and answer.", ""]
    lines += ["A running service serves its OpenAPI under `/docs.json`, with the columns of its own task.", ""]
    shown = {
        "Answer of POST /predict": models.Prediction,
        "Answer of POST /batch_predict": models.PredictionList,
        "Answer of POST /explain": models.Explanation,
        "Contribution": models.Contribution,
        "Request of POST /feedback": Feedback,
        "Answer of POST /feedback": FeedbackCount,
        "Answer of a refused request": models.ErrorResponse,
    }
    for title, model in shown.items():
        lines += [f"## {title}", "", _first_line(model), "", *_table(model, ""), ""]
    return "\n".join(lines)


def metrics_page() -> str:
    """Every Prometheus series of the service and of a generation run."""
    from prometheus_client import CollectorRegistry

    from credence.generation.llm.metrics import LlmMetrics

    lines = ["# Prometheus metrics", "", "Look up every series, its labels and its meaning.", ""]
    lines += ["## Service", "", "`GET /metrics` of a running service, beside BentoML's own series.", ""]
    lines += [*METRIC_HEAD, *_service_metrics(ROOT / "bentos/runtime/metrics.py"), ""]
    lines += [
        "## Generation",
        "",
        "`metrics.prom` in the task's folder, for Prometheus' node exporter.",
        "",
        *METRIC_HEAD,
    ]
    registry = CollectorRegistry()
    LlmMetrics(registry)
    for made in registry._collector_to_names:
        lines.append(_metric_row(made._type, made._name, made._documentation, made._labelnames))  # type: ignore[attr-defined]
    return "\n".join(lines) + "\n"


METRIC_HEAD = ("| series | type | labels | meaning |", "|---|---|---|---|")


def _service_metrics(file: Path) -> Iterator[str]:
    for call in ast.walk(ast.parse(file.read_text())):
        if isinstance(call, ast.Call):
            words = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if words and words[0] in METRIC_TYPES:
                yield _metric_row(words[0].lower(), words[1], words[2], words[3:])


def _metric_row(kind: str, name: str, meaning: str, labels: Any) -> str:
    total = "_total" if kind == "counter" else ""
    return f"| `{name}{total}` | {kind} | {', '.join(labels)} | {_cell(meaning)} |"


def python_page() -> str:
    """The public Python API, rendered by mkdocstrings."""
    import importlib

    lines = ["# Python API", "", "Look up what Python code may call. The command line uses nothing else.", ""]
    for module, names in PUBLIC_API.items():
        known = importlib.import_module(module)
        present = [n for n in names if _is_there(known, n)]
        if present:
            lines += [f"## {module}", ""]
            lines += [f"::: {_home(known, n)}\n" for n in present]
    return "\n".join(lines)


def _is_there(module: Any, name: str) -> bool:
    try:
        return hasattr(module, name)
    except ImportError:
        return False


def _home(module: Any, name: str) -> str:
    found = getattr(module, name)
    return f"{found.__module__}.{found.__qualname__}"


def _sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        section = _nested(field.annotation)
        if section is not None:
            yield f"{prefix}{name}", section
            yield from _sections(section, f"{prefix}{name}.")


def _nested(annotation: Any) -> type[BaseModel] | None:
    options = [annotation, *get_args(annotation)]
    options += [inner for option in options for inner in get_args(option)]
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)


def _table(model: type[BaseModel], prefix: str, skip: Iterable[str] = ()) -> list[str]:
    fields = {f.alias or n: f for n, f in model.model_fields.items() if n not in skip}
    if not fields:
        return ["No parameters."]
    rows = [f"| `{prefix}{n}` | {_type(f)} | {_default(f)} | {_cell(f.description or '')} |" for n, f in fields.items()]
    return ["| key | type | default | meaning |", "|---|---|---|---|", *rows]


def _type(field: FieldInfo) -> str:
    bounds = [_bound(m) for m in field.metadata]
    return _cell(_type_name(field.annotation) + "".join(f", {b}" for b in bounds if b))


TYPE_NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    Any: "any",
    type(None): "null",
}


def _type_name(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(inner[0])
    if origin is Literal:
        return " or ".join(f"`{v}`" for v in inner)
    if origin in (Union, UnionType):
        return " or ".join(map(_type_name, inner))
    if origin is dict:
        return f"mapping of {_type_name(inner[0])} to {_type_name(inner[1])}"
    if inner:
        return f"list of {' and '.join(_type_name(i) for i in inner if i is not Ellipsis)}"
    return TYPE_NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def _bound(mark: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥", "max_length": "length ≤"}
    return " ".join(
        f"{sign} {getattr(mark, name)}" for name, sign in signs.items() if getattr(mark, name, None) is not None
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return ""
    if isinstance(value, BaseModel):
        return "see below"
    return "none" if value is None else _cell(f"`{str(value).lower() if isinstance(value, bool) else value}`")


def _first_line(model: type[Any]) -> str:
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("%%", "%")


PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": cli_page,
    "reference/task-keys.md": task_keys_page,
    "reference/kind-parameters.md": kind_parameters_page,
    "reference/endpoints.md": endpoints_page,
    "reference/metrics.md": metrics_page,
    "reference/python.md": python_page,
}
