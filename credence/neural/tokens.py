"""The tokens of a text for networks: words, signs, and numbers digit by digit."""

import html
import re

from credence.terms import TAG, UNSPACED

TOKEN = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_{UNSPACED}]+)?|\d|[^\w\s]|_")


def tokens(text: str) -> list[str]:
    """Words in lower case, each digit, each sign and each character of a script without spaces by itself.

    HTML tags are blanks, entities what they stand for.
    """
    return TOKEN.findall(TAG.sub(" ", html.unescape(text)).lower())
