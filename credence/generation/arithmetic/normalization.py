"""What makes two texts the same: their content, whoever wrote it and however it is spaced."""

import re
from unicodedata import normalize

from credence.core.canonical_json import digest

SCHEMA_VERSION = 1
NUMBER = re.compile(r"\d+(?:[.,/]\d+)*")


def normalised(question: str) -> str:
    """The text in NFC, with small letters and single spaces."""
    return normalize("NFC", " ".join(normalize("NFC", question).split()).casefold())


def masked(question: str) -> str:
    """The normalised text with every number replaced, the same for near duplicates."""
    return NUMBER.sub("#", normalised(question))


def content_id(category: str, question: str) -> str:
    """The identity of an item; no data set holds one of them twice."""
    return digest([SCHEMA_VERSION, category, normalised(question)])
