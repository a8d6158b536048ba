"""How far a run has come: sums over the epoch under way, the epochs behind it, and what to do when it goes wrong."""

from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor

from credence.models.training.history import Epoch, History
from credence.models.training.optimizer import learning_rate_at
from credence.models.training.settings import Training

MAX_NAMED_ROWS = 5


class RunState(BaseModel):
    """What a training checkpoint holds besides tensors. `batch` counts the epoch's batches that were learned from."""

    step: int = 0
    batch: int = 0
    rows: int = 0
    loss: float = 0.0
    penalty: float = 0.0
    norm: float = 0.0
    seconds: float = 0.0
    halved: bool = False
    scaler: dict[str, Any] = {}
    history: History

    @property
    def epoch(self) -> int:
        """The number of the epoch under way, from 1."""
        return len(self.history.epochs) + 1

    def add(self, nll: Tensor, penalty: float, norm: float) -> None:
        """Count a batch in: the losses of its rows, shape (rows,), its penalty and its gradient's norm."""
        self.step, self.batch, self.rows = self.step + 1, self.batch + 1, self.rows + len(nll)
        self.loss, self.penalty, self.norm = self.loss + float(nll.sum()), self.penalty + penalty, self.norm + norm

    def close(self, held_out: float | None, settings: Training) -> Epoch:
        """The epoch that ends here, now part of the history; the next begins with nothing."""
        made = Epoch(
            number=self.epoch,
            step=self.step,
            loss=self.loss / self.rows,
            penalty=self.penalty / self.batch,
            held_out=held_out,
            learning_rate=learning_rate_at(settings, progress(settings, self.epoch, self.batch, self.batch)),
            gradient_norm=self.norm / self.batch,
            seconds=self.seconds,
        )
        self.history.epochs.append(made)
        self.batch, self.rows, self.loss, self.penalty, self.norm = 0, 0, 0.0, 0.0, 0.0
        return made

    def shown(self) -> str:
        """Losses so far, for the progress line."""
        best = self.history.best
        return f"loss {self.loss / self.rows:.4f}" + (f", held-out {best.held_out:.4f} at best" if best else "")


def progress(settings: Training, epoch: int, number: int, of: int) -> float:
    """The share of a run that is done in the middle of a step: the `number`th of so many of an epoch, from 1."""
    return (epoch - 1 + (number - 0.5) / of) / settings.epochs


def non_finite_rows(values: Tensor, ids: list[str]) -> str | None:
    """The rows whose values, shape (rows,) or (1,) for all of them, are no finite numbers; None where all are."""
    finite = torch.isfinite(values).tolist()
    if all(finite):
        return None
    named = [i for i, good in zip(ids, finite, strict=True) if not good] if len(finite) == len(ids) else ids
    more = f" and {len(named) - MAX_NAMED_ROWS} more" if len(named) > MAX_NAMED_ROWS else ""
    return f"{', '.join(map(repr, named[:MAX_NAMED_ROWS]))}{more}"
