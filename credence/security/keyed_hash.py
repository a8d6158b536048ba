"""Keyed hashes of inputs that may not be logged: equal values have equal hashes, and nothing else is revealed."""

import os
import re
import secrets
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from credence.core.errors import InputError
from credence.core.hashing import canonical_value

KEY_FILE = "hash.key"
KEY_BYTES = 32
HASHED = re.compile("#[0-9a-f]{16}")


def is_hashed(value: Any) -> bool:
    """Return whether a logged value looks like a hash by `KeyedHasher`."""
    return isinstance(value, str) and HASHED.fullmatch(value) is not None


class KeyedHasher:
    """Keyed BLAKE2b hash of values; likely values cannot be tried out without the log's key file."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return the hasher of a task's log folder; create the key file `hash.key` if there is none.

        Raises:
            InputError: The key file does not hold 32 bytes.
        """
        file = folder / KEY_FILE
        if not file.exists():
            _create_key(file)
        key = file.read_bytes()
        if len(key) != KEY_BYTES:
            raise InputError(
                f"{file} holds {len(key)} bytes; expected the {KEY_BYTES} of a key: restore it or remove it."
            )
        return cls(key)

    def __call__(self, column: str, value: Any) -> str:
        """Return '#' and 16 hex digits: equal for equal values of one column, different across columns."""
        text = f"{column}\x1f{canonical_value(value)}".encode("utf-8", "surrogatepass")
        return "#" + blake2b(text, key=self._key, digest_size=8).hexdigest()


def _create_key(file: Path) -> None:
    """Create the key by a hard link: atomic, and only the first of several processes succeeds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{KEY_FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        os.close(descriptor)
        draft.unlink()
