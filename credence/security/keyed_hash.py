"""Inputs that shall not be written down: a keyed hash tells whether two are equal, and nothing else."""

import os
import secrets
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from credence.core.errors import InputError
from credence.core.hashing import canonical_value

KEY_FILE = "hash.key"
KEY_BYTES = 32


class KeyedHasher:
    """Hashes values with the key of one log, so that without the key file nobody can try out likely values."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The hasher of a task's log folder; whoever comes first makes its key."""
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
        """The same for equal values of one column, different across columns: '#' and 16 hexadecimal digits."""
        text = f"{column}\x1f{canonical_value(value)}".encode("utf-8", "surrogatepass")
        return "#" + blake2b(text, key=self._key, digest_size=8).hexdigest()


def _create_key(file: Path) -> None:
    """A link is made whole or not at all, and only by the first of several processes."""
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
