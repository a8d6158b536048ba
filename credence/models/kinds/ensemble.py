"""Deep ensemble: one kind fitted several times from different seeds; each member is a draw."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field, PrivateAttr

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.model import Labels, Model, TrainingRecord, require_matching_inputs
from credence.statistics.uncertainty import Array


class Ensemble(Model):
    """Deep ensemble (Lakshminarayanan et al. 2017). A member's draws are averaged into one draw."""

    reads = "both"
    model: ModelSpec = Field(
        ModelSpec(kind="bayesian_transformer"), description="kind of the members, with its parameters"
    )
    members: int = Field(4, ge=2, le=100, description="number of members")
    _learned: list[Model] = PrivateAttr(default_factory=list)

    def display_name(self) -> str:
        """Return the name shown in tables."""
        return f"ensemble of {self.model.kind}"

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        first = self._member(0)
        require_matching_inputs(first, "text" in X)
        self._learned = [(first if i == 0 else self._member(i)).fit(X, y) for i in range(self.members)]

    def _member(self, number: int) -> Model:
        if self.model.search or self.model.prequential or "seed" in (self.model.model_extra or {}):
            raise InputError("ensemble.model takes neither search, prequential nor seed: give those to the ensemble.")
        parameters = {**(self.model.model_extra or {}), "seed": self.seed * 1000 + number}
        member: Model = ModelSpec(kind=self.model.kind, **parameters).build()
        return member.with_checkpoints(self._root, self._watch if number == 0 else None) if self._root else member

    def _draws(self, X: pd.DataFrame) -> Array:
        return np.stack([member.draws(X).mean(0) for member in self._learned])

    @property
    def batch_tolerance(self) -> float:
        """Largest tolerance of the members."""
        return max(member.batch_tolerance for member in self._learned)

    def training_record(self) -> TrainingRecord:
        """Return the curves of the first member, and the passes of all members."""
        parts = [member.training_record() for member in self._learned]
        passes = sum(part.passes for part in parts)
        return parts[0].model_copy(update={"passes": passes, "cpu_seconds": self._cpu_seconds})

    def _save(self, folder: Path) -> None:
        for number, member in enumerate(self._learned):
            (folder / f"member-{number}").mkdir(exist_ok=True)
            member.save(folder / f"member-{number}")

    def _load(self, folder: Path) -> None:
        self._learned = [Model.load(folder / f"member-{number}") for number in range(self.members)]
