"""The seal of a predictor folder: a list of its files that no changed, missing or added file fits."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field

from credence.core.errors import InputError
from credence.core.registry import StrictModel

FACTS = "predictor.json"
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
UNSEALED_FILES = frozenset({MANIFEST, SIGNATURE, "model.yaml"})  # the last is BentoML's own note about what it stores
Sha256 = Field(pattern="^[0-9a-f]{64}$")


class FileEntry(StrictModel):
    """One file."""

    sha256: str = Sha256
    size: int = Field(ge=0)


class Manifest(StrictModel):
    """Whose files they are, every file, and a hash of all that, by which a change of the list itself is known."""

    task: str
    version: str
    files: dict[str, FileEntry]
    seal: str = Sha256

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What `folder` holds now. BadInput where it holds no predictor, or a link."""
        _expect_facts(folder)
        facts = json.loads((folder / FACTS).read_bytes())
        body = {"task": facts["task"], "version": facts["version"], "files": dict(_entries(folder))}
        return cls(**body, seal=_seal(body))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `seal` wrote. BadInput where it is missing or was changed by as much as a blank."""
        _expect_facts(folder)
        if not (folder / MANIFEST).is_file():
            raise InputError(
                f"{folder} holds no {MANIFEST}, so nobody can tell whether it is whole; run training again."
            )
        there = (folder / MANIFEST).read_bytes()
        try:
            found = cls(**json.loads(there))
        except (ValueError, TypeError, RecursionError):
            raise changed(folder, MANIFEST) from None
        if found.text().encode() != there or found.seal != _seal(found.model_dump(exclude={"seal"})):
            raise changed(folder, MANIFEST)
        return found

    def text(self) -> str:
        """The contents of `manifest.json`: the same for the same files, byte for byte."""
        return json.dumps(self.model_dump(), indent=1, sort_keys=True)


def seal(folder: Path) -> Manifest:
    """Write `manifest.json` over all files of a saved predictor; a signature of another list is removed."""
    made, file = Manifest.of(folder), folder / MANIFEST
    if not (file.is_file() and file.read_bytes() == made.text().encode()):
        (folder / SIGNATURE).unlink(missing_ok=True)
        file.write_text(made.text())
    return made


def changed_files(folder: Path, added: bool = False) -> Manifest:
    """The manifest that every file of `folder` fits; files beside those listed are refused unless `added`.

    BadInput names the first file that was changed, is missing, is too many or is a link.
    """
    manifest, there = Manifest.read(folder), dict(_entries(folder))
    for name, entry in manifest.files.items():
        if name not in there:
            raise InputError(f"{folder}: {name} is missing; put the folder back as it was promoted.")
        if there[name] != entry.model_dump():
            raise changed(folder, name)
    if not added and (extra := sorted(set(there) - set(manifest.files))):
        raise InputError(f"{folder}: {extra[0]} does not belong to this predictor; remove it.")
    return manifest


def changed(folder: Path, name: str) -> InputError:
    """The refusal of one file."""
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
    """Everything that is no folder; a link to a folder is not followed, and is no folder here."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path)


def _seal(body: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
