"""Which failures are told in a sentence, and which are bugs."""

import errno
import sqlite3

import pytest

from credence.core.errors import InputError, user_message


def chained(inner: Exception) -> Exception:
    try:
        try:
            raise inner
        except Exception as error:
            raise RuntimeError("a step failed") from error
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (InputError("column 'x' is missing."), "column 'x' is missing."),
        (OSError(errno.ENOSPC, "No space left on device", "/data/model.json"), "the disk is full (/data/model.json)"),
        (OSError(errno.EROFS, "Read-only file system"), "the disk is read-only"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full; free some space"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "the store is read-only"),
        (ConnectionError("HTTPConnectionPool: Max retries exceeded with url"), "a server of the stack does not answer"),
    ],
)
def test_mistakes_and_broken_surroundings_have_a_sentence_however_deep(error: Exception, part: str) -> None:
    assert part in str(user_message(error))
    assert part in str(user_message(chained(error)))


@pytest.mark.parametrize("bug", [KeyError("label"), ValueError("shapes do not match"), FileNotFoundError("x")])
def test_bugs_have_none(bug: Exception) -> None:
    assert user_message(bug) is None
    assert user_message(chained(bug)) is None
