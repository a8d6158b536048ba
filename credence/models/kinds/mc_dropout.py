"""MC dropout for any torch kind: each forward pass with dropout is a draw."""

from pathlib import Path

import pandas as pd
from pydantic import Field, PrivateAttr, field_validator

from credence.core.errors import InputError
from credence.core.registry import ModelSpec, available_kinds, load_kind
from credence.model import Labels, Model, TrainingRecord, require_matching_inputs
from credence.models.neural import TorchModel
from credence.statistics.uncertainty import Array


class McDropout(Model):
    """MC dropout (Gal & Ghahramani 2016); a draw is one mask for all rows."""

    reads = "both"
    model: ModelSpec = Field(ModelSpec(kind="bayesian_transformer"), description="a torch kind, with its parameters")
    passes: int = Field(50, ge=2, description="number of draws")
    full: bool = Field(
        False,
        description=(
            "Drop features everywhere, which costs `passes` forward passes. Default: only after pooling, which "
            "costs one."
        ),
    )
    _inner: TorchModel = PrivateAttr()

    @field_validator("model")
    @classmethod
    def _is_a_module(cls, model: ModelSpec) -> ModelSpec:
        if not issubclass(load_kind("models", model.kind), TorchModel):
            kinds = [kind for kind in available_kinds("models") if issubclass(load_kind("models", kind), TorchModel)]
            raise InputError(f"mc_dropout.model is {model.kind!r}, which has no dropout; choose one of {kinds}.")
        if model.search or model.prequential:
            raise InputError("mc_dropout.model takes neither search nor prequential: give those to mc_dropout itself.")
        return model

    def display_name(self) -> str:
        """Return the name shown in tables."""
        return f"{self.model.kind} with MC dropout"

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        self._inner = ModelSpec(kind=self.model.kind, **{"seed": self.seed, **(self.model.model_extra or {})}).build()
        require_matching_inputs(self._inner, "text" in X)
        if self._inner.dropout == 0:
            raise InputError("mc_dropout.model has dropout: 0, so its passes would all agree; set it above 0.")
        if self._root:
            self._inner.with_checkpoints(self._root, self._watch)
        self._inner.fit(X, y)

    def _draws(self, X: pd.DataFrame) -> Array:
        return self._inner.sampled(X, self.passes, self.full)

    @property
    def batch_tolerance(self) -> float:
        """Tolerance of the inner kind."""
        return self._inner.batch_tolerance

    def training_record(self) -> TrainingRecord:
        """Return the record of the inner kind, with the passes of MC dropout."""
        return self._inner.training_record().model_copy(update={"passes": self.passes if self.full else 1})

    def _save(self, folder: Path) -> None:
        (folder / "inner").mkdir(exist_ok=True)
        self._inner.save(folder / "inner")

    def _load(self, folder: Path) -> None:
        inner = Model.load(folder / "inner")
        assert isinstance(inner, TorchModel)
        self._inner = inner
