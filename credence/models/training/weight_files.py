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

from credence.core.atomic_write import replace_text, replacing

Kind = Literal["training", "milestone", "production"]
Tensors = dict[str, Tensor]
WEIGHTS, LABEL = ".safetensors", ".json"


class Refused(Exception):
    """A checkpoint cannot be used; the message says which and why."""


class Label(BaseModel):
    """The JSON: what the weights are, whose they are, and a SHA-256 of them and of the rest of the label."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    kind: Kind
    identity: dict[str, str]
    facts: dict[str, Any]
    weights: str
    seal: str = ""

    def sealed(self) -> "Label":
        """The same with the seal that its contents give."""
        plain = json.dumps(self.model_dump(exclude={"seal"}), sort_keys=True)
        return self.model_copy(update={"seal": hashlib.sha256(plain.encode()).hexdigest()})


@dataclass(frozen=True)
class Sealed:
    """Weights that were read and fit their label."""

    label: Label
    weights: bytes

    def tensors(self) -> Tensors:
        """The tensors by name, on the CPU."""
        return safetensors.torch.load(self.weights)


def write(stem: Path, kind: Kind, tensors: Tensors, identity: Mapping[str, str], facts: Mapping[str, Any]) -> Path:
    """Both files, each whole and on the disk before the next; the path of the JSON."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    data = packed(tensors)
    with replacing(stem.with_suffix(WEIGHTS)) as draft:
        draft.write_bytes(data)
    label = Label(kind=kind, identity=dict(identity), facts=dict(facts), weights=digest_of(data)).sealed()
    replace_text(stem.with_suffix(LABEL), label.model_dump_json(indent=1) + "\n")
    return stem.with_suffix(LABEL)


def read_label(stem: Path) -> Label:
    """The label alone. Refused where it is missing, torn or changed."""
    file = stem.with_suffix(LABEL)
    try:
        label = Label.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise Refused(f"{file} is missing or torn") from None
    if label != label.sealed():
        raise Refused(f"{file} was changed")
    return label


def read(stem: Path) -> Sealed:
    """Label and weights. Refused where either is missing, torn or changed."""
    label, file = read_label(stem), stem.with_suffix(WEIGHTS)
    try:
        data = file.read_bytes()
    except OSError:
        raise Refused(f"{file} is missing") from None
    if digest_of(data) != label.weights:
        raise Refused(f"{file} is torn or was changed")
    return Sealed(label, data)


def remove(stem: Path) -> None:
    """Both files, the label first, so that what is half removed is no checkpoint."""
    for suffix in (LABEL, WEIGHTS):
        stem.with_suffix(suffix).unlink(missing_ok=True)


def packed(tensors: Tensors) -> bytes:
    """Tensors as safetensors keeps them: the same bytes for the same tensors."""
    return safetensors.torch.save(tensors)


def digest_of(data: bytes) -> str:
    """The SHA-256 of data, in hex."""
    return hashlib.sha256(data).hexdigest()


def copied(tensors: Mapping[str, Tensor]) -> Tensors:
    """Copies on the CPU that share no memory, with the module or with each other."""
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
