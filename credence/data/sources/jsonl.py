"""One JSON object per line, or one array of them, also gzipped."""

import json
from typing import Any

import pandas as pd

from credence.core.errors import InputError
from credence.data.sources._files import FileSource, read_text


class Jsonl(FileSource):
    encoding: str | None = None

    def read(self) -> pd.DataFrame:
        text = read_text(self.path, self.encoding)
        if text.lstrip().startswith("["):
            records = parse_line(text, str(self.path))
            if not records:
                raise InputError(f"{self.path} holds an empty JSON array; expected objects in it, one per row.")
            return pd.DataFrame([parse_record(f"{self.path}, object {i}", r) for i, r in enumerate(records, 1)])
        lines = {f"{self.path}, line {i}": line for i, line in enumerate(text.split("\n"), 1) if line.strip()}
        return pd.DataFrame([parse_record(where, parse_line(line, where)) for where, line in lines.items()])


def parse_line(text: str, where: str) -> Any:
    """The value that a text spells in JSON. BadInput names the place where it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{where}: this is not JSON ({error}); expected one object per line.") from None


def parse_record(where: str, value: Any) -> dict[str, Any]:
    """An object that holds no other object and no array."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: holds a JSON {_word(value)}; expected one object per line.")
    for key, cell in value.items():
        if isinstance(cell, (dict, list)):
            raise InputError(f"{where}: {key!r} holds a JSON {_word(cell)}; give each value its own key.")
    return value


def _word(value: Any) -> str:
    words = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return words.get(type(value), "number")
