"""One JSON object per line, also gzipped."""

import json
from typing import Any

import pandas as pd

from credence.errors import BadInput
from credence.sources._files import FileSource, text_of


class Jsonl(FileSource):
    encoding: str | None = None

    def read(self) -> pd.DataFrame:
        lines = text_of(self.path, self.encoding).split("\n")
        records = [self._record(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        return pd.DataFrame(records)

    def _record(self, number: int, line: str) -> dict[str, Any]:
        where = f"{self.path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise BadInput(f"{where}: this is not JSON ({error}); expected one object per line.") from None
        if not isinstance(record, dict):
            raise BadInput(f"{where}: holds a JSON {_word(record)}; expected one object per line.")
        for key, value in record.items():
            if isinstance(value, (dict, list)):
                raise BadInput(f"{where}: {key!r} holds a JSON {_word(value)}; give each value its own key.")
        return record


def _word(value: Any) -> str:
    words = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return words.get(type(value), "number")
