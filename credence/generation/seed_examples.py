"""Texts that a person wrote, which show language models the style that is wanted."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from credence.core.errors import BadInput, did_you_mean
from credence.data.drafting import source_of

LONGEST = 2000


class Seed(NamedTuple):
    """A text, and its label where the file says it."""

    text: str
    label: str | None


def read_seeds(path: Path, labels: dict[str, str]) -> list[Seed]:
    """The texts of a file: .txt with one in a line, or a table with a column `text` and perhaps one `label`."""
    if not path.is_file():
        raise BadInput(
            f"seeds: {path} is no file; name a .txt with a text in every line, or a table with a column text."
        )
    seeds = _lines(path) if path.suffix.lower() == ".txt" else _table(path, labels)
    if not seeds:
        raise BadInput(f"seeds: {path} holds no text.")
    return seeds


def _lines(path: Path) -> list[Seed]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"seeds: {path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    return [Seed(line.strip()[:LONGEST], None) for line in lines if line.strip()]


def _table(path: Path, labels: dict[str, str]) -> list[Seed]:
    try:
        table = source_of(path).build().read()
    except BadInput as error:
        raise BadInput(f"seeds: {error}") from None
    if "text" not in table:
        raise BadInput(f"seeds: {path} has no column 'text'; its columns are {', '.join(map(str, table.columns))}.")
    said = table["label"] if "label" in table else [None] * len(table)
    seeds = [Seed(_word(text)[:LONGEST], _word(label) or None) for text, label in zip(table["text"], said, strict=True)]
    for row, seed in enumerate(seeds, 1):
        if seed.label is not None and seed.label not in labels:
            raise BadInput(f"seeds: {path}, row {row}: no label {seed.label!r}. {did_you_mean(seed.label, labels)}")
    return [seed for seed in seeds if seed.text]


def _word(cell: Any) -> str:
    """A cell as the file spells it; nothing where it is empty."""
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return ""
    word = str(cell).lower() if isinstance(cell, bool) else str(cell)
    return word.encode(errors="replace").decode().strip()  # JSON may hold half of a surrogate pair, a prompt may not
