"""The one exception for a user's mistake: one sentence that says what was given, what was expected and what to do."""

import difflib
from collections.abc import Iterable


class BadInput(ValueError):
    """Something the user gave cannot be used; the message is the sentence that is shown instead of a traceback."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, or all known words where none is near."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."
