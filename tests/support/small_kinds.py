"""Models of every kind with everything that makes them slow turned down."""

from typing import Any

from credence.core.registry import load_kind
from credence.model import Model
from tests.support.pretrained_cases import tiny

SMALL = {
    "folds": 2,
    "inner": 2,
    "trees": 12,
    "rounds": 12,
    "members": 4,
    "epochs": 1,
    "passes": 4,
    "samples": 40,
    "warmup": 60,
    "draws": 40,
    "chains": 1,
    "steps": 60,
    "max_features": 2000,
    "width": 8,
    "layers": 1,
    "heads": 2,
}
WRAPPED = {"model": {"kind": "bayesian_transformer", "epochs": 2, "width": 8, "layers": 1, "samples": 5}}
OWN: dict[str, Any] = {
    "transformer": lambda: {"checkpoint": tiny()},
    "embeddings": lambda: {"checkpoint": tiny()},
    "ensemble": lambda: {**WRAPPED, "members": 2},
    "mc_dropout": lambda: WRAPPED,
}


def small(kind: str, **parameters: Any) -> Model:
    """The kind with fewer trees, folds, epochs and the like, wherever it has such a number."""
    fields = load_kind("models", kind).model_fields
    fewer = {name: value for name, value in SMALL.items() if name in fields and fields[name].annotation is int}
    own = OWN[kind]() if kind in OWN else {}
    model: Model = load_kind("models", kind)(**fewer | own | parameters)
    return model
