"""One hash of all of credence, so that the pipeline's cache notices when the science changes."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np


def source_digest() -> str:
    """SHA-256 over the names and contents of every file of this package."""
    root, h = Path(__file__).parents[1], hashlib.sha256()
    for file in sorted(f for f in root.rglob("*") if f.is_file() and f.suffix != ".pyc"):
        h.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return h.hexdigest()


def canonical_value(value: Any) -> str:
    """One spelling for a value however it was stored: 1, 1.0, "1" and " 1 " are the same; so are True and "true"."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def stable_hash(text: str) -> str:
    """The hash behind row ids and the split: blake2b, 64 bits, the same on every machine and in every year."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
