"""Checkpoints: training (the last three, to resume from), milestone (every improvement), production (final weights).

Training and milestone files carry the hash of their run in their name, so that several runs can share a folder.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from credence.core.atomic_write import remove_stale_temp_files
from credence.core.errors import InputError
from credence.core.hashing import bytes_digest
from credence.models.training.padded_batch import PaddedRows
from credence.models.training.settings import Training
from credence.models.training.weight_files import (
    LABEL,
    CheckpointRejected,
    Tensors,
    WeightFile,
    copy_weights,
    pack_tensors,
    read_label,
    read_weights,
    remove_weights,
    write_weights,
)

KEPT_CHECKPOINTS, MAX_SHOWN_CHARACTERS = 3, 40
OUTSIDE_IDENTITY = {"device", "checkpoint_seconds"}


def run_identity(
    module: nn.Module, rows: PaddedRows, held_out: PaddedRows | None, settings: Training, about: Mapping[str, object]
) -> dict[str, str]:
    """Return everything that determines the weights of a run, by name.

    Device and `checkpoint_seconds` are left out: a run may resume with others.
    """
    identity = {"module": type(module).__qualname__, **about}
    identity |= {f"shape of {name}": list(tensor.shape) for name, tensor in module.state_dict().items()}
    identity |= {f"training.{name}": value for name, value in settings if name not in OUTSIDE_IDENTITY}
    identity |= {"rows": rows.digest(), "held-out rows": held_out.digest() if held_out else None}
    return {name: str(value) for name, value in identity.items()}


def identity_difference(stored: Mapping[str, str], expected: Mapping[str, str]) -> str | None:
    """Describe the first difference between two run identities as a clause; None if they are equal."""
    for name in [*expected, *(stored.keys() - expected.keys())]:
        a, b = stored.get(name, "absent"), expected.get(name, "absent")
        if a != b:
            return f"its {name} is {a[:MAX_SHOWN_CHARACTERS]}, not {b[:MAX_SHOWN_CHARACTERS]}"
    return None


class CheckpointStore:
    """The checkpoints of one run in a folder.

    Args:
        folder: The folder; created if absent. Stale temporary files in it are removed.
        identity: What `run_identity` returned; a checkpoint with another identity is not used.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self.folder, self.identity = folder, dict(identity)
        self.run = bytes_digest(json.dumps(self.identity, sort_keys=True).encode())[:12]
        self._kept: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("training", "milestone", "production"):
            remove_stale_temp_files(folder / kind)

    def save_training(self, step: int, tensors: Tensors, facts: Mapping[str, Any]) -> Path:
        """Write what resuming needs, remove all but the last three training checkpoints, return the JSON's path."""
        stem = self._stem("training", step)
        file = write_weights(stem, "training", tensors, self.identity, facts)
        self._kept = [*(s for s in self._kept if s != stem), stem][-KEPT_CHECKPOINTS:]
        for other in {f.with_suffix("") for f in stem.parent.glob(f"[0-9]*-{self.run}.*")} - {*self._kept}:
            remove_weights(other)
        return file

    def save_milestone(self, step: int, tensors: Tensors, facts: Mapping[str, Any]) -> Path:
        """Write weights with a new best held-out log-loss; return the JSON's path. Milestones are never removed."""
        return write_weights(self._stem("milestone", step), "milestone", tensors, self.identity, facts)

    def save_production(self, tensors: Tensors, facts: Mapping[str, Any]) -> Path:
        """Write final weights as the next version; if the newest version is equal, return that one's JSON path."""
        newest = newest_production(self.folder)
        if newest and self._holds(newest, tensors):
            return newest
        version = int(newest.stem) + 1 if newest else 1
        stem = self.folder / "production" / f"{version:04d}"
        return write_weights(stem, "production", tensors, self.identity, {"version": version, **facts})

    def newest(self) -> tuple[WeightFile | None, list[str]]:
        """Return the newest usable training checkpoint of this run, or None, and why newer ones were rejected."""
        refused = []
        for stem in sorted((f.with_suffix("") for f in self.folder.glob(f"training/[0-9]*{LABEL}")), reverse=True):
            try:
                found = self._own(stem)
            except CheckpointRejected as error:
                refused.append(f"{error}; it is left out.")
            else:
                older = sorted(s.with_suffix("") for s in stem.parent.glob(f"[0-9]*-{self.run}{LABEL}"))
                self._kept = [s for s in older if s <= stem][-KEPT_CHECKPOINTS:]
                return found, refused
        return None, refused

    def _holds(self, file: Path, tensors: Tensors) -> bool:
        try:
            label = read_label(file.with_suffix(""))
        except CheckpointRejected:
            return False
        return label.identity == self.identity and label.weights == bytes_digest(pack_tensors(tensors))

    def _own(self, stem: Path) -> WeightFile:
        if differs := identity_difference(read_label(stem).identity, self.identity):
            raise CheckpointRejected(f"{stem.with_suffix(LABEL)} is of another run: {differs}")
        return read_weights(stem)

    def _stem(self, kind: str, step: int) -> Path:
        return self.folder / kind / f"{step:09d}-{self.run}"


def newest_production(folder: Path) -> Path | None:
    """Return the JSON of the highest production version in a folder; None if there is none."""
    return max((folder / "production").glob(f"[0-9]*{LABEL}"), default=None)


def load_weights(module: nn.Module, file: Path) -> dict[str, Any]:
    """Load the weights of a milestone or production checkpoint into a module.

    Args:
        module: A module of the same kind, with the same tensor shapes.
        file: The checkpoint's JSON.

    Returns:
        The facts stored with the weights.

    Raises:
        InputError: The checkpoint is damaged, or belongs to another kind of module or another vocabulary.
    """
    try:
        found = read_weights(file.with_suffix(""))
    except CheckpointRejected as error:
        raise InputError(f"{error}; take another checkpoint, or train again.") from None
    tensors = found.tensors()
    stored = {f"shape of {name}": str(list(tensor.shape)) for name, tensor in tensors.items()}
    expected = {f"shape of {name}": str(list(tensor.shape)) for name, tensor in module.state_dict().items()}
    if differs := identity_difference(stored, expected):
        raise InputError(f"{file} is of another kind of model or another vocabulary: {differs}.")
    module.load_state_dict(tensors)
    return found.label.facts


def module_weights(module: nn.Module) -> Tensors:
    """Copy a module's parameters and buffers to the CPU."""
    return copy_weights(module.state_dict())
