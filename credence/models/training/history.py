"""Metrics of every epoch of a run, stored as JSON; used for curves, trackers and early stopping."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from credence.core.atomic_write import atomic_write_text
from credence.models.training.settings import Training

FILE = "history.json"


class Epoch(BaseModel):
    """Metrics of one pass over the training rows. Losses are nats per row.

    Attributes:
        number: Number of the epoch, from 1.
        step: Optimizer steps so far.
        loss: Mean log-loss of the training rows.
        penalty: Mean penalty per row, such as KL / N.
        held_out: Log-loss of the held-out rows; None without any.
        learning_rate: Learning rate of the last step.
        gradient_norm: Mean gradient norm before clipping.
        seconds: Wall-clock seconds since the start of the run.
    """

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
        """Return the metrics by name, without number, step and absent values."""
        return {name: value for name, value in self if name not in {"number", "step"} and value is not None}


class History(BaseModel):
    """All epochs of a run, notes for the report, and the device, precision and processes that it ran on."""

    model_config = ConfigDict(extra="forbid")
    epochs: list[Epoch] = []
    notes: list[str] = []
    device: str = "cpu"
    precision: str = "fp32"
    processes: int = 1

    @property
    def best(self) -> Epoch | None:
        """The earliest epoch with the lowest held-out log-loss; None without held-out rows."""
        judged = [(e.held_out, e.number) for e in self.epochs if e.held_out is not None]
        return self.epochs[min(judged)[1] - 1] if judged else None

    def stopped(self, settings: Training) -> Literal["epochs", "patience"] | None:
        """Return why training ends after the last epoch, or None if it continues."""
        best = self.best
        if best is not None and len(self.epochs) - best.number >= settings.patience:
            return "patience"
        return "epochs" if len(self.epochs) >= settings.epochs else None

    def save(self, folder: Path) -> None:
        """Write `history.json` atomically."""
        atomic_write_text(folder / FILE, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "History":
        """Read `history.json` of a folder."""
        return cls.model_validate_json((folder / FILE).read_text())
