"""The text of a reply as JSON: one fence may be taken off, nothing else is repaired."""

import json
import re
from typing import Any, NoReturn

from credence.llm.retry import Unusable

FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL)


def entries(text: str, key: str) -> list[Any]:
    """The list under the only key of the object. Raises Unusable: "json", or "schema" where it is another object."""
    if fenced := FENCED.fullmatch(text):
        text = fenced[1]
    try:
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Unusable("json") from None
    if not isinstance(value, dict) or set(value) != {key} or not isinstance(value[key], list):
        raise Unusable("schema")
    return list(value[key])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found
