"""What makes two texts the same: their content, whoever wrote it and however it is spaced."""

import re
from unicodedata import normalize

from credence.core.canonical_json import json_digest

SCHEMA_VERSION = 1
NUMBER = re.compile(r"\d+(?:[.,/]\d+)*")


def normalize_statement(question: str) -> str:
    """The text in NFC, with small letters and single spaces."""
    return normalize("NFC", " ".join(normalize("NFC", question).split()).casefold())


def mask_numbers(question: str) -> str:
    """The normalised text with every number replaced, the same for near duplicates."""
    return NUMBER.sub("#", normalize_statement(question))


def content_id(category: str, question: str) -> str:
    """The identity of an item; no data set holds one of them twice."""
    return json_digest([SCHEMA_VERSION, category, normalize_statement(question)])
