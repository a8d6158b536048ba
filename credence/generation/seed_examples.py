"""Texts that a person wrote, which show language models the style that is wanted."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.data.drafting import source_from_path

MAX_TEXT_LENGTH = 2000


class SeedExample(NamedTuple):
    """A text, and its label where the file says it."""

    text: str
    label: str | None


def read_seed_examples(path: Path, labels: dict[str, str]) -> list[SeedExample]:
    """The texts of a file: .txt with one in a line, or a table with a column `text` and perhaps one `label`."""
    if not path.is_file():
        raise InputError(
            f"seeds: {path} is no file; name a .txt with a text in every line, or a table with a column text."
        )
    seeds = _lines(path) if path.suffix.lower() == ".txt" else _table(path, labels)
    if not seeds:
        raise InputError(f"seeds: {path} holds no text.")
    return seeds


def _lines(path: Path) -> list[SeedExample]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"seeds: {path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    return [SeedExample(line.strip()[:MAX_TEXT_LENGTH], None) for line in lines if line.strip()]


def _table(path: Path, labels: dict[str, str]) -> list[SeedExample]:
    try:
        table = source_from_path(path).build().read()
    except InputError as error:
        raise InputError(f"seeds: {error}") from None
    if "text" not in table:
        raise InputError(f"seeds: {path} has no column 'text'; its columns are {', '.join(map(str, table.columns))}.")
    said = table["label"] if "label" in table else [None] * len(table)
    seeds = [
        SeedExample(_word(text)[:MAX_TEXT_LENGTH], _word(label) or None)
        for text, label in zip(table["text"], said, strict=True)
    ]
    for row, seed in enumerate(seeds, 1):
        if seed.label is not None and seed.label not in labels:
            raise InputError(f"seeds: {path}, row {row}: no label {seed.label!r}. {did_you_mean(seed.label, labels)}")
    return [seed for seed in seeds if seed.text]


def _word(cell: Any) -> str:
    """A cell as the file spells it; nothing where it is empty."""
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return ""
    word = str(cell).lower() if isinstance(cell, bool) else str(cell)
    return word.encode(errors="replace").decode().strip()  # JSON may hold half of a surrogate pair, a prompt may not
