"""JSON Lines, or one JSON array of objects, also gzipped."""

import json
from typing import Any

import pandas as pd

from credence.core.errors import InputError
from credence.data.sources._files import FileSource, read_text


class Jsonl(FileSource):
    """A file with one JSON object per line, or one array of them; `encoding` is detected by default."""

    encoding: str | None = None

    def read(self) -> pd.DataFrame:
        """Read the table; every key is a column.

        Raises:
            InputError: The file is not JSON, or an object is nested; names the line.
        """
        text = read_text(self.path, self.encoding)
        if text.lstrip().startswith("["):
            records = parse_line(text, str(self.path))
            if not records:
                raise InputError(f"{self.path} holds an empty JSON array; expected objects in it, one per row.")
            return pd.DataFrame([parse_record(f"{self.path}, object {i}", r) for i, r in enumerate(records, 1)])
        lines = {f"{self.path}, line {i}": line for i, line in enumerate(text.split("\n"), 1) if line.strip()}
        return pd.DataFrame([parse_record(where, parse_line(line, where)) for where, line in lines.items()])


def parse_line(text: str, where: str) -> Any:
    """Parse a JSON text.

    Raises:
        InputError: The text is not JSON; the message starts with `where`.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{where}: this is not JSON ({error}); expected one object per line.") from None


def parse_record(where: str, value: Any) -> dict[str, Any]:
    """Return a JSON value if it is an object without nested objects and arrays.

    Raises:
        InputError: It is not; the message starts with `where`.
    """
    if not isinstance(value, dict):
        raise InputError(f"{where}: holds a JSON {_type_name(value)}; expected one object per line.")
    for key, cell in value.items():
        if isinstance(cell, (dict, list)):
            raise InputError(f"{where}: {key!r} holds a JSON {_type_name(cell)}; give each value its own key.")
    return value


def _type_name(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
