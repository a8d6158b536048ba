"""Texts written by people that show language models the desired style."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.data.drafting import source_from_path

MAX_TEXT_LENGTH = 2000


class SeedExample(NamedTuple):
    """A text of at most 2,000 characters, and its label if the file has one."""

    text: str
    label: str | None


def read_seed_examples(path: Path, labels: dict[str, str]) -> list[SeedExample]:
    """Read a .txt file with one text per line, or a table with a column `text` and optionally `label`.

    Args:
        path: The file.
        labels: The labels of the topic.

    Raises:
        InputError: The file is missing, empty, not UTF-8, or has an unknown label.
    """
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
    given_labels = table["label"] if "label" in table else [None] * len(table)
    seeds = [
        SeedExample(_cell_text(text)[:MAX_TEXT_LENGTH], _cell_text(label) or None)
        for text, label in zip(table["text"], given_labels, strict=True)
    ]
    for row, seed in enumerate(seeds, 1):
        if seed.label is not None and seed.label not in labels:
            raise InputError(f"seeds: {path}, row {row}: no label {seed.label!r}. {did_you_mean(seed.label, labels)}")
    return [seed for seed in seeds if seed.text]


def _cell_text(cell: Any) -> str:
    """Convert a cell to text as the file spells it; empty if it is missing."""
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return ""
    text = str(cell).lower() if isinstance(cell, bool) else str(cell)
    return text.encode(errors="replace").decode().strip()  # a prompt cannot hold the lone surrogates that JSON allows
