"""Stable hashes of values, files, folders and this package."""

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

READ_BYTES = 1 << 22


def source_digest() -> str:
    """Return the SHA-256 of this package's files, for the pipeline's cache key: new code invalidates cached steps."""
    return folder_digest(Path(__file__).parents[1])


def folder_digest(folder: Path, end: bytes = b"\0") -> str:
    """Return the SHA-256 of the names and contents of all files below a folder, without *.pyc, as 64 hex digits.

    Args:
        folder: The folder; its own name does not count.
        end: Bytes hashed after each file's content. Stored hashes depend on it.
    """
    h = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix != ".pyc"):
        h.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + end)
    return h.hexdigest()


def files_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the concatenated contents of files, as 64 hex digits; reads 4 MiB at a time."""
    h = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            for chunk in iter(partial(file.read, READ_BYTES), b""):
                h.update(chunk)
    return h.hexdigest()


def bytes_digest(data: bytes) -> str:
    """Return the SHA-256 of bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def canonical_value(value: Any) -> str:
    """Return the same text for equal values of any type: 1, 1.0, "1" and " 1 " agree; so do True and "true"."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def stable_hash(text: str) -> str:
    """Return the 64-bit BLAKE2b hash of a text, as 16 hex digits; row ids and splits depend on it."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
