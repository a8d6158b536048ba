"""The JSON Schema of a task, made from the models that read it: editors complete and check tasks by it."""

import json
from typing import Any

from credence.core.registry import KindSpec, ModelSpec, SourceSpec, available_kinds, load_kind
from credence.generation.llm.provider import ProviderSpec
from credence.task import Task

SPECS: tuple[type[KindSpec], ...] = (ModelSpec, SourceSpec, ProviderSpec)
Schema = dict[str, Any]


def schema_text() -> str:
    """The schema as the text of tasks/schema.json."""
    return json.dumps(task_schema(), indent=1, ensure_ascii=False) + "\n"


def task_schema() -> Schema:
    """The schema (draft 2020-12) of a task's YAML. Imports every kind, and so all of their libraries."""
    schema = Task.model_json_schema()
    definitions: Schema = schema.pop("$defs")
    for spec in SPECS:
        definitions[spec.__name__] = _alternatives(spec, definitions)
    del schema["properties"]["name"]  # a task is called as its file
    schema["required"].remove("name")
    # YAML reads 0, 1 and true as what they are; Task takes them as words
    scalar = {"type": ["string", "number", "boolean"]}
    schema["properties"]["answers"] |= {"prefixItems": [scalar, scalar], "items": False}
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": definitions}
    plain: Schema = _without_titles(whole)
    return plain


def _alternatives(spec: type[KindSpec], definitions: Schema) -> Schema:
    """A choice of `kind` with that kind's own parameters; each kind becomes a definition of its own."""
    shared = {name: about for name, about in definitions[spec.__name__]["properties"].items() if name != "kind"}
    kinds = available_kinds(spec.family)
    for kind in kinds:
        own = load_kind(spec.family, kind).model_json_schema()
        for name, definition in own.pop("$defs", {}).items():
            definitions.setdefault(name, definition)
        properties = {"kind": {"const": kind}, **own.get("properties", {}), **shared}
        definitions[f"{spec.family}_{kind}"] = own | {
            "properties": properties,
            "required": ["kind", *own.get("required", [])],
        }
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": kinds}},
        # oneOf would say of every mistake that no kind fits; this says what is wrong with the kind that is named
        "allOf": [_where_kind_is(kind, f"#/$defs/{spec.family}_{kind}") for kind in kinds],
    }


def _where_kind_is(kind: str, definition: str) -> Schema:
    return {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": {"$ref": definition}}


def _without_titles(value: Any) -> Any:
    """Without the titles that pydantic makes of names; a property may be called title, and then it is a mapping."""
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: _without_titles(v) for k, v in value.items() if not (k == "title" and isinstance(v, str))}
