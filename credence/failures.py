"""Failures that are no bugs, as one sentence: a user's mistake, a full or read-only disk, an absent server."""

import errno
import re
from collections.abc import Iterator

from credence.errors import BadInput

DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "writing is not permitted",
    errno.EPERM: "writing is not permitted",
}
SAID = {
    "database or disk is full": "the disk is full; free some space and run the same command, finished steps are kept.",
    "attempt to write a readonly database": "the store is read-only; make it writable, or set ZENML_CONFIG_PATH.",
    "unable to open database file": "the store cannot be opened; make it writable, or set ZENML_CONFIG_PATH.",
    "Max retries exceeded": "a server of the stack does not answer; start it, or choose another --stack.",
    "Connection refused": "a server of the stack does not answer; start it, or choose another --stack.",
}
ADDRESS = re.compile(r"host='([^']+)', port=(\d+)")


def sentence_of(error: BaseException) -> str | None:
    """The sentence for the first such failure among an exception and its causes, or None for a bug."""
    for cause in causes(error):
        if isinstance(cause, BadInput):
            return str(cause)
        if isinstance(cause, OSError) and cause.errno in DISK:
            where = f" ({cause.filename})" if cause.filename else ""
            return f"{DISK[cause.errno]}{where}; nothing was promoted. Mend that and run the same command again."
    for cause in causes(error):
        for said, sentence in SAID.items():
            if said in str(cause):
                return sentence.replace("a server of the stack", _server(str(cause)))
    return None


def _server(said: str) -> str:
    """Which server it is that does not answer, where the message tells."""
    found = ADDRESS.search(said)
    return f"the stack's server {found[1]}:{found[2]}" if found else "a server of the stack"


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, what caused it, what caused that, and so on."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__
