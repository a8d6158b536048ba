"""Weights on disk: a safetensors file, and a JSON label with the hashes of both, written last."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from credence.core.atomic_write import atomic_write, atomic_write_text
from credence.core.hashing import bytes_digest

FileKind = Literal["training", "milestone", "production"]
Tensors = dict[str, Tensor]
WEIGHTS, LABEL = ".safetensors", ".json"


class CheckpointRejected(Exception):
    """Raised when a checkpoint is missing, damaged or of another run; the message names it and the reason."""


class WeightLabel(BaseModel):
    """The JSON beside a weight file.

    Attributes:
        format: Version of the file format.
        kind: Kind of the checkpoint.
        identity: Identity of the run (`run_identity`).
        facts: Further values, such as epoch and step.
        weights: SHA-256 of the safetensors file, in hex.
        seal: SHA-256 of the other fields, in hex.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    kind: FileKind
    identity: dict[str, str]
    facts: dict[str, Any]
    weights: str
    seal: str = ""

    def sealed(self) -> "WeightLabel":
        """Return a copy with the seal computed from the other fields."""
        plain = json.dumps(self.model_dump(exclude={"seal"}), sort_keys=True)
        return self.model_copy(update={"seal": bytes_digest(plain.encode())})


@dataclass(frozen=True)
class WeightFile:
    """A label and the bytes of its safetensors file, with verified hashes."""

    label: WeightLabel
    weights: bytes

    def tensors(self) -> Tensors:
        """Return the tensors by name, on the CPU."""
        return safetensors.torch.load(self.weights)


def write_weights(
    stem: Path, kind: FileKind, tensors: Tensors, identity: Mapping[str, str], facts: Mapping[str, Any]
) -> Path:
    """Write the safetensors file, then the JSON, each atomically; return the path of the JSON.

    Args:
        stem: Path without suffix; its folder is created.
        kind: Kind of the checkpoint.
        tensors: Name -> tensor.
        identity: Identity of the run.
        facts: Further JSON values.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    data = pack_tensors(tensors)
    with atomic_write(stem.with_suffix(WEIGHTS)) as draft:
        draft.write_bytes(data)
    label = WeightLabel(kind=kind, identity=dict(identity), facts=dict(facts), weights=bytes_digest(data)).sealed()
    atomic_write_text(stem.with_suffix(LABEL), label.model_dump_json(indent=1) + "\n")
    return stem.with_suffix(LABEL)


def read_label(stem: Path) -> WeightLabel:
    """Read and verify a label.

    Raises:
        CheckpointRejected: The label is missing, incomplete or was changed.
    """
    file = stem.with_suffix(LABEL)
    try:
        label = WeightLabel.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise CheckpointRejected(f"{file} is missing or torn") from None
    if label != label.sealed():
        raise CheckpointRejected(f"{file} was changed")
    return label


def read_weights(stem: Path) -> WeightFile:
    """Read and verify a label and its weights.

    Raises:
        CheckpointRejected: Either file is missing, incomplete or was changed.
    """
    label, file = read_label(stem), stem.with_suffix(WEIGHTS)
    try:
        data = file.read_bytes()
    except OSError:
        raise CheckpointRejected(f"{file} is missing") from None
    if bytes_digest(data) != label.weights:
        raise CheckpointRejected(f"{file} is torn or was changed")
    return WeightFile(label, data)


def remove_weights(stem: Path) -> None:
    """Remove both files, the label first: weights without a label are not read."""
    for suffix in (LABEL, WEIGHTS):
        stem.with_suffix(suffix).unlink(missing_ok=True)


def pack_tensors(tensors: Tensors) -> bytes:
    """Serialize tensors as safetensors; equal tensors give equal bytes."""
    return safetensors.torch.save(tensors)


def copy_weights(tensors: Mapping[str, Tensor]) -> Tensors:
    """Copy tensors to the CPU, so that none shares memory with the module or with another."""
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
