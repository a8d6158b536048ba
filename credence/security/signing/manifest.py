"""The manifest of a predictor folder: SHA-256 and size of every file, and a hash over the whole list."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field

from credence.core.errors import InputError
from credence.core.hashing import bytes_digest
from credence.core.registry import StrictModel

FACTS = "predictor.json"
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
UNSEALED_FILES = frozenset({MANIFEST, SIGNATURE, "model.yaml"})  # the last is BentoML's own note about what it stores
Sha256 = Field(pattern="^[0-9a-f]{64}$")


class FileEntry(StrictModel):
    """SHA-256 (hex) and size (bytes) of one file."""

    sha256: str = Sha256
    size: int = Field(ge=0)


class Manifest(StrictModel):
    """Task, version and files of a predictor, by path in the folder; `seal` is the SHA-256 of these three."""

    task: str
    version: str
    files: dict[str, FileEntry]
    seal: str = Sha256

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Build the manifest of a folder's present content.

        Raises:
            InputError: The folder holds no predictor, or holds a link.
        """
        _expect_facts(folder)
        facts = json.loads((folder / FACTS).read_bytes())
        body = {"task": facts["task"], "version": facts["version"], "files": dict(_entries(folder))}
        return cls(**body, seal=_seal(body))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the `manifest.json` that `seal` wrote.

        Raises:
            InputError: The file is missing, or was changed by even one byte.
        """
        _expect_facts(folder)
        if not (folder / MANIFEST).is_file():
            raise InputError(f"{folder} holds no {MANIFEST}, so it cannot be checked; run training again.")
        content = (folder / MANIFEST).read_bytes()
        try:
            found = cls(**json.loads(content))
        except (ValueError, TypeError, RecursionError):
            raise changed_error(folder, MANIFEST) from None
        if found.text().encode() != content or found.seal != _seal(found.model_dump(exclude={"seal"})):
            raise changed_error(folder, MANIFEST)
        return found

    def text(self) -> str:
        """Return the JSON of `manifest.json`; byte for byte the same for the same files."""
        return json.dumps(self.model_dump(), indent=1, sort_keys=True)


def seal(folder: Path) -> Manifest:
    """Write `manifest.json` for a saved predictor; remove a signature of a different manifest."""
    made, file = Manifest.of(folder), folder / MANIFEST
    if not (file.is_file() and file.read_bytes() == made.text().encode()):
        (folder / SIGNATURE).unlink(missing_ok=True)
        file.write_text(made.text())
    return made


def check_files(folder: Path, added: bool = False) -> Manifest:
    """Check a folder's files against its manifest and return the manifest.

    Args:
        folder: A folder that `Predictor.save` wrote.
        added: Accept files that the manifest does not list.

    Raises:
        InputError: A file was changed, is missing, was added or is a link; names the first one.
    """
    manifest, there = Manifest.read(folder), dict(_entries(folder))
    for name, entry in manifest.files.items():
        if name not in there:
            raise InputError(f"{folder}: {name} is missing; put the folder back as it was promoted.")
        if there[name] != entry.model_dump():
            raise changed_error(folder, name)
    if not added and (extra := sorted(set(there) - set(manifest.files))):
        raise InputError(f"{folder}: {extra[0]} does not belong to this predictor; remove it.")
    return manifest


def changed_error(folder: Path, name: str) -> InputError:
    """Return the error about a changed file."""
    return InputError(f"{folder}: {name} was changed after it was saved; put the folder back as it was promoted.")


def _expect_facts(folder: Path) -> None:
    if not (folder / FACTS).is_file():
        raise InputError(f"{folder} holds no {FACTS}; expected a folder that Predictor.save wrote.")


def _entries(folder: Path) -> Iterator[tuple[str, dict[str, str | int]]]:
    for file in sorted(_files(folder)):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink() or not file.is_file():
            raise InputError(f"{folder}: {name} is a link or no plain file; expected what Predictor.save wrote.")
        if name not in UNSEALED_FILES:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            yield name, {"sha256": digest, "size": file.stat().st_size}


def _files(folder: Path) -> Iterator[Path]:
    """Yield everything but folders; links to folders are yielded and not followed."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path)


def _seal(body: Mapping[str, object]) -> str:
    return bytes_digest(json.dumps(body, sort_keys=True).encode())
