"""What a run went through: one line per epoch, for curves, trackers and early stopping, kept as JSON."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from credence.core.atomic_write import atomic_write_text
from credence.models.training.settings import Training

FILE = "history.json"


class Epoch(BaseModel):
    """One pass over the rows. Losses are nats per row; `held_out` is the log-loss on rows nothing was learned from."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    number: int
    step: int
    loss: float
    penalty: float
    held_out: float | None
    learning_rate: float
    gradient_norm: float
    seconds: float

    def metrics(self) -> dict[str, float]:
        """The figures by name, without the number and the step; absent ones are left out."""
        return {name: value for name, value in self if name not in {"number", "step"} and value is not None}


class History(BaseModel):
    """Learning curves, where they were made, and what happened on the way that a reader should know."""

    model_config = ConfigDict(extra="forbid")
    epochs: list[Epoch] = []
    notes: list[str] = []
    device: str = "cpu"
    precision: str = "fp32"
    processes: int = 1

    @property
    def best(self) -> Epoch | None:
        """The first epoch with the lowest held-out log-loss; None without held-out rows."""
        judged = [(e.held_out, e.number) for e in self.epochs if e.held_out is not None]
        return self.epochs[min(judged)[1] - 1] if judged else None

    def stopped(self, settings: Training) -> Literal["epochs", "patience"] | None:
        """Why no further epoch follows, or None where one does."""
        best = self.best
        if best is not None and len(self.epochs) - best.number >= settings.patience:
            return "patience"
        return "epochs" if len(self.epochs) >= settings.epochs else None

    def save(self, folder: Path) -> None:
        """Write `history.json`, whole or not at all."""
        atomic_write_text(folder / FILE, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "History":
        """What was saved in a folder."""
        return cls.model_validate_json((folder / FILE).read_text())
