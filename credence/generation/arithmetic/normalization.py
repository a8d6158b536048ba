"""Normalize texts to detect duplicates, independent of author, case and spacing."""

import re
from unicodedata import normalize

from credence.core.canonical_json import json_digest

SCHEMA_VERSION = 1
NUMBER = re.compile(r"\d+(?:[.,/]\d+)*")


def normalize_statement(question: str) -> str:
    """Normalize to Unicode NFC, case-folded, with single spaces."""
    return normalize("NFC", " ".join(normalize("NFC", question).split()).casefold())


def mask_numbers(question: str) -> str:
    """Replace every number of the normalized text by #, so that near duplicates become equal."""
    return NUMBER.sub("#", normalize_statement(question))


def content_id(category: str, question: str) -> str:
    """Hash category and normalized text (hex).

    A data set holds each id at most once.
    """
    return json_digest([SCHEMA_VERSION, category, normalize_statement(question)])
