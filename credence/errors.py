"""The one exception for a user's mistake: one sentence that says what was given, what was expected and what to do."""

import difflib
from collections.abc import Iterable

MOST_SHOWN = 30


class BadInput(ValueError):
    """Something the user gave cannot be used; the message is the sentence that is shown instead of a traceback."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, or the known words where none is near."""
    known = sorted(known)
    spelled = [k for k in known if k.lower() == word.lower()]
    close = spelled or difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    more = f" and {len(known) - MOST_SHOWN} more" if len(known) > MOST_SHOWN else ""
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known[:MOST_SHOWN])}{more}."
