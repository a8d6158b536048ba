"""Forward and backward passes over a batch that is split into shards; repeated in half shards if memory runs out.

The loss of a shard is scaled by the rows of the whole batch. Random numbers are seeded by the shard's number. So two
processes learn what one process learns in two passes, up to the order of sums.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from credence.core.errors import InputError
from credence.models.training.batches import IntArray, batches_by_length, split_batch
from credence.models.training.device import autocast, ran_out_of_memory, release_memory
from credence.models.training.distributed import ProcessGroup
from credence.models.training.optimizer import Optimizer
from credence.models.training.padded_batch import PaddedRows
from credence.models.training.rng import set_seed
from credence.models.training.settings import Training
from credence.models.training.trainable import Loss, Trainable


class ForwardBackward:
    """Runs a module over rows; `halved` doubles the passes of each process after memory ran out.

    Args:
        module: The module.
        optimizer: Scales the loss and holds the gradients.
        settings: Batches, accumulation and seed.
        group: The processes that share a batch.
        precision: fp32, bf16 or fp16.
        note: Called with a sentence if batches are halved.
    """

    def __init__(
        self,
        module: Trainable,
        optimizer: Optimizer,
        settings: Training,
        group: ProcessGroup,
        precision: str,
        note: Callable[[str], None],
    ) -> None:
        self.module, self.optimizer, self.settings, self.group = module, optimizer, settings, group
        self.precision, self.note = precision, note
        self.halved = False

    @property
    def parts(self) -> int:
        """Number of shards of a batch, over all processes."""
        return self.group.size * self.settings.accumulate * (2 if self.halved else 1)

    def compute_gradient(self, rows: PaddedRows, batch: IntArray, epoch: int, number: int) -> tuple[Tensor, float]:
        """Compute the gradient of a batch, summed over processes, into the module.

        Args:
            rows: All training rows.
            batch: Row numbers of the batch.
            epoch: Number of the epoch, from 1; seeds dropout.
            number: Number of the batch in the epoch, from 1; seeds dropout.

        Returns:
            The loss of each row in nats, float64, shape (rows,), and the penalty per row.

        Raises:
            InputError: Memory runs out in half shards too.
        """

        def fill(values: Tensor) -> None:
            self.optimizer.clear()
            for part in range(self.group.rank, self.parts, self.group.size):
                shard = split_batch(batch, self.parts)[part]
                if shard:
                    set_seed(self.settings.seed, "learn", epoch, number, part, device=self.group.device)
                    loss, weight = self._loss(rows, shard), len(shard) / len(batch)
                    torch.autograd.backward(self.optimizer.scaled(loss.nll.sum() / len(batch) + loss.penalty * weight))
                    values[part : len(batch) : self.parts] = loss.nll.detach()
                    values[-1] += torch.as_tensor(loss.penalty).detach() * weight

        values = self._within_memory(len(batch) + 1, fill, f"at epoch {epoch}, step {number}")
        self.group.add_gradients(self.optimizer.parameters)
        return values[:-1], float(values[-1])

    @torch.no_grad()
    def evaluate(self, rows: PaddedRows, epoch: int) -> Tensor:
        """Return the loss of every row in nats without gradient and penalty, float64, shape (rows,).

        Raises:
            InputError: Memory runs out in half shards too.
        """

        def fill(values: Tensor) -> None:
            batches = list(batches_by_length(rows.lengths, self.settings))
            pieces = [piece for batch in batches for piece in split_batch(batch, self.parts) if piece]
            for number in range(self.group.rank, len(pieces), self.group.size):
                set_seed(self.settings.seed, "judge", number, device=self.group.device)
                values[pieces[number]] = self._loss(rows, pieces[number]).nll.double()

        return self._within_memory(len(rows), fill, f"on the held-out rows after epoch {epoch}")

    def _loss(self, rows: PaddedRows, numbers: IntArray) -> Loss:
        with autocast(self.group.device, self.precision):
            nll, penalty = self.module.loss(rows.batch(numbers).to(self.group.device))
        if nll.shape != (len(numbers),):
            raise ValueError(
                f"the loss of {len(numbers)} rows has shape {tuple(nll.shape)}; expected one number per row."
            )
        return Loss(nll.float(), penalty)

    def _within_memory(self, size: int, fill: Callable[[Tensor], None], where: str) -> Tensor:
        """Sum what all processes fill in, shape (size,); repeat in half shards if one runs out of memory."""
        while True:
            values = torch.zeros(size + 1, dtype=torch.float64, device=self.group.device)
            try:
                fill(values[:-1])
            except (MemoryError, RuntimeError) as error:
                if not ran_out_of_memory(error):
                    raise
                values.zero_()[-1] = 1
            values = self.group.add(values).cpu()
            if not values[-1]:
                return values[:-1]
            self._halve(where)

    def _halve(self, where: str) -> None:
        rows = -(-self.settings.batch_rows // self.parts)
        if self.halved:
            raise InputError(
                f"out of memory {where}, also with {rows} rows at a time; lower batch_rows, raise accumulate, "
                "set batch_tokens, or shorten the longest rows."
            )
        self.halved = True
        self.optimizer.clear()
        release_memory(self.group.device)
        self.note(f"out of memory {where}: from here on in passes of {-(-rows // 2)} rows instead of {rows}.")
