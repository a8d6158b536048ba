"""Weights on disk: a safetensors file and the JSON beside it, which is written last and vouches for both."""

import hashlib
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

FileKind = Literal["training", "milestone", "production"]
Tensors = dict[str, Tensor]
WEIGHTS, LABEL = ".safetensors", ".json"


class CheckpointRejected(Exception):
    """A checkpoint cannot be used; the message says which and why."""


class WeightLabel(BaseModel):
    """The JSON: what the weights are, whose they are, and a SHA-256 of them and of the rest of the label."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    kind: FileKind
    identity: dict[str, str]
    facts: dict[str, Any]
    weights: str
    seal: str = ""

    def sealed(self) -> "WeightLabel":
        """The same with the seal that its contents give."""
        plain = json.dumps(self.model_dump(exclude={"seal"}), sort_keys=True)
        return self.model_copy(update={"seal": hashlib.sha256(plain.encode()).hexdigest()})


@dataclass(frozen=True)
class WeightFile:
    """Weights that were read and fit their label."""

    label: WeightLabel
    weights: bytes

    def tensors(self) -> Tensors:
        """The tensors by name, on the CPU."""
        return safetensors.torch.load(self.weights)


def write_weights(
    stem: Path, kind: FileKind, tensors: Tensors, identity: Mapping[str, str], facts: Mapping[str, Any]
) -> Path:
    """Both files, each whole and on the disk before the next; the path of the JSON."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    data = pack_tensors(tensors)
    with atomic_write(stem.with_suffix(WEIGHTS)) as draft:
        draft.write_bytes(data)
    label = WeightLabel(kind=kind, identity=dict(identity), facts=dict(facts), weights=tensor_digest(data)).sealed()
    atomic_write_text(stem.with_suffix(LABEL), label.model_dump_json(indent=1) + "\n")
    return stem.with_suffix(LABEL)


def read_label(stem: Path) -> WeightLabel:
    """The label alone. Refused where it is missing, torn or changed."""
    file = stem.with_suffix(LABEL)
    try:
        label = WeightLabel.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise CheckpointRejected(f"{file} is missing or torn") from None
    if label != label.sealed():
        raise CheckpointRejected(f"{file} was changed")
    return label


def read_weights(stem: Path) -> WeightFile:
    """Label and weights. Refused where either is missing, torn or changed."""
    label, file = read_label(stem), stem.with_suffix(WEIGHTS)
    try:
        data = file.read_bytes()
    except OSError:
        raise CheckpointRejected(f"{file} is missing") from None
    if tensor_digest(data) != label.weights:
        raise CheckpointRejected(f"{file} is torn or was changed")
    return WeightFile(label, data)


def remove_weights(stem: Path) -> None:
    """Both files, the label first, so that what is half removed is no checkpoint."""
    for suffix in (LABEL, WEIGHTS):
        stem.with_suffix(suffix).unlink(missing_ok=True)


def pack_tensors(tensors: Tensors) -> bytes:
    """Tensors as safetensors keeps them: the same bytes for the same tensors."""
    return safetensors.torch.save(tensors)


def tensor_digest(data: bytes) -> str:
    """The SHA-256 of data, in hex."""
    return hashlib.sha256(data).hexdigest()


def copy_weights(tensors: Mapping[str, Tensor]) -> Tensors:
    """Copies on the CPU that share no memory, with the module or with each other."""
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
