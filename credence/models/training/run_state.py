"""Resumable training state, the share of a run that is done, and the rows with non-finite losses."""

from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor

from credence.models.training.history import Epoch, History
from credence.models.training.optimizer import learning_rate_at
from credence.models.training.settings import Training

MAX_NAMED_ROWS = 5


class RunState(BaseModel):
    """What a training checkpoint holds besides tensors.

    Attributes:
        step: Optimizer steps of the run.
        batch: Batches done in the current epoch.
        rows: Rows done in the current epoch.
        loss: Sum of row losses in the current epoch, in nats.
        penalty: Sum of batch penalties in the current epoch, in nats per row.
        norm: Sum of gradient norms in the current epoch.
        seconds: Wall-clock seconds of the run.
        halved: Whether batches are halved since memory ran out.
        scaler: State of the fp16 loss scale.
        history: The finished epochs.
    """

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
        """The number of the current epoch, from 1."""
        return len(self.history.epochs) + 1

    def add(self, nll: Tensor, penalty: float, norm: float) -> None:
        """Add a batch: the losses of its rows, shape (rows,), its penalty and its gradient norm."""
        self.step, self.batch, self.rows = self.step + 1, self.batch + 1, self.rows + len(nll)
        self.loss, self.penalty, self.norm = self.loss + float(nll.sum()), self.penalty + penalty, self.norm + norm

    def close(self, held_out: float | None, settings: Training) -> Epoch:
        """End the current epoch: append its metrics to the history, reset the sums, and return the metrics."""
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

    def progress_text(self) -> str:
        """Format the current losses for the progress bar."""
        best = self.history.best
        return f"loss {self.loss / self.rows:.4f}" + (f", held-out {best.held_out:.4f} at best" if best else "")


def progress(settings: Training, epoch: int, number: int, of: int) -> float:
    """Return the share of a run that is done in the middle of a step: step `number`, from 1, of `of` in the epoch."""
    return (epoch - 1 + (number - 0.5) / of) / settings.epochs


def non_finite_rows(values: Tensor, ids: list[str]) -> str | None:
    """Name up to five rows whose values are not finite; None if all are finite.

    Args:
        values: Shape (rows,), or (1,) for a value of all rows.
        ids: Row ids.
    """
    finite = torch.isfinite(values).tolist()
    if all(finite):
        return None
    named = [i for i, good in zip(ids, finite, strict=True) if not good] if len(finite) == len(ids) else ids
    more = f" and {len(named) - MAX_NAMED_ROWS} more" if len(named) > MAX_NAMED_ROWS else ""
    return f"{', '.join(map(repr, named[:MAX_NAMED_ROWS]))}{more}"
