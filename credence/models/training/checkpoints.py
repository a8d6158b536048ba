"""Checkpoints of three kinds: training (the last three, to go on from), milestone (every improvement), production.

A file's name carries its run's fingerprint, so that several runs share a folder without touching each other's files.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from credence.core.atomic_write import remove_stale_temp_files
from credence.core.errors import InputError
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
    tensor_digest,
    write_weights,
)

KEPT_CHECKPOINTS, MAX_SHOWN_CHARACTERS = 3, 40
OUTSIDE_IDENTITY = {"device", "checkpoint_seconds"}


def run_identity(
    module: nn.Module, rows: PaddedRows, held_out: PaddedRows | None, settings: Training, about: Mapping[str, object]
) -> dict[str, str]:
    """All that decides a run's weights, by name. Another device or pace of saving is the same run."""
    said = {"module": type(module).__qualname__, **about}
    said |= {f"shape of {name}": list(tensor.shape) for name, tensor in module.state_dict().items()}
    said |= {f"training.{name}": value for name, value in settings if name not in OUTSIDE_IDENTITY}
    said |= {"rows": rows.digest(), "held-out rows": held_out.digest() if held_out else None}
    return {name: str(value) for name, value in said.items()}


def identity_difference(there: Mapping[str, str], here: Mapping[str, str]) -> str | None:
    """The first thing in which two runs differ, as a clause; None where they are the same run."""
    for name in [*here, *(there.keys() - here.keys())]:
        a, b = there.get(name, "absent"), here.get(name, "absent")
        if a != b:
            return f"its {name} is {a[:MAX_SHOWN_CHARACTERS]}, not {b[:MAX_SHOWN_CHARACTERS]}"
    return None


class CheckpointStore:
    """The checkpoints of one run in a folder."""

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        self.folder, self.identity = folder, dict(identity)
        self.run = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:12]
        self._kept: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("training", "milestone", "production"):
            remove_stale_temp_files(folder / kind)

    def save_training(self, step: int, tensors: Tensors, facts: Mapping[str, Any]) -> Path:
        """All that going on needs; older ones than the last three go."""
        stem = self._stem("training", step)
        file = write_weights(stem, "training", tensors, self.identity, facts)
        self._kept = [*(s for s in self._kept if s != stem), stem][-KEPT_CHECKPOINTS:]
        for other in {f.with_suffix("") for f in stem.parent.glob(f"[0-9]*-{self.run}.*")} - {*self._kept}:
            remove_weights(other)
        return file

    def save_milestone(self, step: int, tensors: Tensors, facts: Mapping[str, Any]) -> Path:
        """Weights that were better than all before, to be kept."""
        return write_weights(self._stem("milestone", step), "milestone", tensors, self.identity, facts)

    def save_production(self, tensors: Tensors, facts: Mapping[str, Any]) -> Path:
        """Final weights under the next version, or the newest version where that holds the same ones."""
        newest = newest_production(self.folder)
        if newest and self._holds(newest, tensors):
            return newest
        version = int(newest.stem) + 1 if newest else 1
        stem = self.folder / "production" / f"{version:04d}"
        return write_weights(stem, "production", tensors, self.identity, {"version": version, **facts})

    def newest(self) -> tuple[WeightFile | None, list[str]]:
        """The newest whole training checkpoint of this run, and why newer ones were refused."""
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
        return label.identity == self.identity and label.weights == tensor_digest(pack_tensors(tensors))

    def _own(self, stem: Path) -> WeightFile:
        if differs := identity_difference(read_label(stem).identity, self.identity):
            raise CheckpointRejected(f"{stem.with_suffix(LABEL)} is of another run: {differs}")
        return read_weights(stem)

    def _stem(self, kind: str, step: int) -> Path:
        return self.folder / kind / f"{step:09d}-{self.run}"


def newest_production(folder: Path) -> Path | None:
    """The JSON of the highest version that a folder's runs exported; None where there is none."""
    return max((folder / "production").glob(f"[0-9]*{LABEL}"), default=None)


def load_weights(module: nn.Module, file: Path) -> dict[str, Any]:
    """Put a milestone's or production checkpoint's weights into a module; its facts.

    BadInput where the checkpoint is torn, or of another kind of module or another vocabulary.
    """
    try:
        found = read_weights(file.with_suffix(""))
    except CheckpointRejected as error:
        raise InputError(f"{error}; take another checkpoint, or train again.") from None
    tensors = found.tensors()
    there = {f"shape of {name}": str(list(tensor.shape)) for name, tensor in tensors.items()}
    here = {f"shape of {name}": str(list(tensor.shape)) for name, tensor in module.state_dict().items()}
    if differs := identity_difference(there, here):
        raise InputError(f"{file} is of another kind of model or another vocabulary: {differs}.")
    module.load_state_dict(tensors)
    return found.label.facts


def module_weights(module: nn.Module) -> Tensors:
    """A copy of all that a module learned, on the CPU."""
    return copy_weights(module.state_dict())
