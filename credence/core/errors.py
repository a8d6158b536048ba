"""User errors: the exception, spelling hints, and one sentence instead of a traceback."""

import difflib
import errno
import importlib
import re
from collections.abc import Iterable, Iterator
from types import ModuleType

from credence.core.extras import missing_library

MAX_SHOWN = 30


class InputError(ValueError):
    """Unusable input. The message says what was given, what was expected and what to do; no traceback is shown."""


class MissingExtraError(InputError, ImportError):
    """A library of an extra is not installed; the message holds the pip command."""


def import_for(needed_by: str, module: str) -> ModuleType:
    """Import a module. Raises MissingExtraError, which names `needed_by`, where a library of an extra is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if sentence := missing_library(error, needed_by):
            raise MissingExtraError(sentence) from None
        raise


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known word, or up to 30 known words if none is similar."""
    known = sorted(known)
    same = [k for k in known if k.lower() == word.lower()]
    close = same or difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    more = f" and {len(known) - MAX_SHOWN} more" if len(known) > MAX_SHOWN else ""
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known[:MAX_SHOWN])}{more}."


DISK_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "writing is not permitted",
    errno.EPERM: "writing is not permitted",
}
KNOWN_MESSAGES = {
    "database or disk is full": "the disk is full; free some space and run the same command, finished steps are kept.",
    "attempt to write a readonly database": "the store is read-only; make it writable, or set ZENML_CONFIG_PATH.",
    "unable to open database file": "the store cannot be opened; make it writable, or set ZENML_CONFIG_PATH.",
    "Max retries exceeded": "a server of the stack does not answer; start it, or choose another --stack.",
    "Connection refused": "a server of the stack does not answer; start it, or choose another --stack.",
}
SERVER_ADDRESS = re.compile(r"host='([^']+)', port=(\d+)")


def user_message(error: BaseException) -> str | None:
    """Return the sentence to show for an exception, or None for a bug.

    The first match along the causes counts: an `InputError` or a disk error, then a message in `KNOWN_MESSAGES`.
    """
    for cause in cause_chain(error):
        if isinstance(cause, InputError):
            return str(cause)
        if sentence := missing_library(cause):
            return sentence
        if isinstance(cause, OSError) and cause.errno in DISK_ERRORS:
            where = f" ({cause.filename})" if cause.filename else ""
            return f"{DISK_ERRORS[cause.errno]}{where}; nothing was promoted. Fix that and run the same command again."
    for cause in cause_chain(error):
        for part, sentence in KNOWN_MESSAGES.items():
            if part in str(cause):
                return sentence.replace("a server of the stack", _server_name(str(cause)))
    return None


def _server_name(message: str) -> str:
    found = SERVER_ADDRESS.search(message)
    return f"the stack's server {found[1]}:{found[2]}" if found else "a server of the stack"


def cause_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, its cause, the cause of that, and so on."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def first_line(error: object) -> str:
    """Return the first line of an error's message without its final period; the class if there is no message."""
    return (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".")
