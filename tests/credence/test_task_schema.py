"""The JSON Schema of a task: as the models have it, met by every task, and clear about a mistake."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cli.main import main
from credence.core.registry import available_kinds
from credence.core.yaml_loader import load_yaml, parse_yaml
from credence.data.drafting import SCHEMA_LINE, _is_unedited
from credence.task_schema import schema_text, task_schema

ROOT = Path(__file__).parents[2]
TASKS = sorted((ROOT / "tasks").glob("*.yaml"))


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(task_schema())


def mistakes(task: Any) -> dict[str, str]:
    """Place -> message, also of what lies below a section that may be null."""
    found: dict[str, str] = {}
    errors = list(validator().iter_errors(task))
    while errors:
        error = errors.pop()
        found[error.json_path] = f"{found.get(error.json_path, '')} {error.message}"
        errors += error.context or ()
    return found


def changed(**sections: str) -> dict[str, Any]:
    return load_yaml(ROOT / "tasks" / "reasoning.yaml") | {k: parse_yaml(v) for k, v in sections.items()}


def test_the_file_is_what_the_models_say() -> None:
    said = "tasks/schema.json is out of date; write it anew with: python run.py schema"
    assert (ROOT / "tasks" / "schema.json").read_text() == schema_text(), said
    Draft202012Validator.check_schema(task_schema())


@pytest.mark.parametrize("task", TASKS, ids=lambda f: f.stem)
def test_every_bundled_task_names_the_schema_and_meets_it(task: Path) -> None:
    assert task.read_text().startswith(SCHEMA_LINE)
    assert mistakes(load_yaml(task)) == {}


def test_a_drafted_task_meets_it_and_counts_as_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i % 97},{(i * 31) % 89},{'yes' if i % 3 else 'no'}\n" for i in range(900))
    (tmp_path / "churn.csv").write_text(f"size,age,left\n{rows}")
    own = ["--data", "churn.csv", "--label", "left", "--dry-run"]
    assert main(own) == 0
    plain = (tmp_path / "tasks" / "churn.yaml").read_text()
    assert "yaml-language-server" not in plain, "there is no schema beside it yet"
    assert main(["schema"]) == 0 and main(["schema", "--check"]) == 0 and main(own) == 0
    assert SCHEMA_LINE in (tmp_path / "tasks" / "churn.yaml").read_text()
    assert _is_unedited(tmp_path / "tasks" / "churn.yaml")
    assert mistakes(load_yaml(tmp_path / "tasks" / "churn.yaml")) == {}
    (tmp_path / "tasks" / "schema.json").write_text("{}")
    assert main(["schema", "--check"]) == 2


@pytest.mark.parametrize(
    ("sections", "path", "words"),
    [
        ({"modles": "[]"}, "$", "'modles' was unexpected"),
        ({"models": "[{kind: tfdif}]"}, "$.models[0].kind", "'tfdif' is not one of"),
        ({"models": "[{kind: tfidf, foo: 1}]"}, "$.models[0]", "'foo' was unexpected"),
        ({"models": "[{kind: bilstm, epochs: 0}]"}, "$.models[0].epochs", "minimum of 1"),
        ({"models": "[{kind: lightgbm, search: {trials: ten}}]"}, "$.models[0].search.trials", "'ten'"),
        ({"models": "[{kind: voting, members: [{kind: nope}]}]"}, "$.models[0].members[0].kind", "'nope'"),
        ({"source": "{kind: csv}"}, "$.source", "'path' is a required property"),
        ({"generation": "{providers: [{kind: opneai}]}"}, "$.generation.providers[0].kind", "'opneai'"),
        ({"answers": "[no, maybe, yes]"}, "$.answers", ""),
        ({"name": "churn"}, "$", "'name' was unexpected"),
    ],
)
def test_a_mistake_is_found_where_it_is(sections: dict[str, str], path: str, words: str) -> None:
    found = mistakes(changed(**sections))
    assert any(where.startswith(path) and words in message for where, message in found.items()), found


def test_what_a_task_may_say_is_allowed() -> None:
    assert mistakes(changed(answers="[0, true]", shift="{far: {source: {kind: csv, path: far.csv}}}")) == {}


@pytest.mark.parametrize("family", ["models", "sources", "providers"])
def test_every_kind_has_its_parameters(family: str) -> None:
    definitions = json.loads(schema_text())["$defs"]
    assert {k for k in definitions if k.startswith(f"{family}_")} == {f"{family}_{k}" for k in available_kinds(family)}
