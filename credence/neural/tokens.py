"""The tokens of a text for networks: words, signs, and numbers digit by digit."""

import html
import re

from credence.terms import TAG

TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d|[^\w\s]|_")


def tokens(text: str) -> list[str]:
    """Words in lower case, each digit and each sign by itself; HTML tags are blanks, entities what they stand for."""
    return TOKEN.findall(TAG.sub(" ", html.unescape(text)).lower())
