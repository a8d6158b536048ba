"""Files that are whole or not there at all, and what tells one file from another."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any


def written(path: Path, write: Callable[[Path], object], beside: Path | None = None) -> None:
    """Let `write` make a file in the folder `beside`, and put it in its place only when all of it is on the disk."""
    passing = (beside or path.parent) / f".{path.name}.{secrets.token_hex(4)}"
    try:
        write(passing)
        with passing.open("rb") as file:
            os.fsync(file.fileno())
        passing.replace(path)
    finally:
        passing.unlink(missing_ok=True)
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """A rename survives a power cut only when its folder is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def identity(path: Path) -> dict[str, Any]:
    """Where a file or a folder of Parquet files lies, how large it is and when it was changed last."""
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    states = [file.stat() for file in files]
    return {
        "path": str(path.resolve()), "files": len(files), "bytes": sum(s.st_size for s in states),
        "changed": max((s.st_mtime_ns for s in states), default=0),
    }  # fmt: skip
