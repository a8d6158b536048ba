"""The training loop: epochs with early stopping on the held-out log-loss; resumes a killed run from checkpoints."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from credence.core.errors import InputError
from credence.core.log import log
from credence.models.training.batches import IntArray, plan_batches
from credence.models.training.checkpoints import CheckpointStore, module_weights, run_identity
from credence.models.training.device import chosen_device, chosen_precision
from credence.models.training.distributed import ProcessGroup
from credence.models.training.forward_backward import ForwardBackward
from credence.models.training.history import Epoch, History
from credence.models.training.optimizer import Optimizer
from credence.models.training.padded_batch import PaddedRows
from credence.models.training.rng import deterministic, seeded
from credence.models.training.run_state import RunState, non_finite_rows, progress
from credence.models.training.settings import Training
from credence.models.training.trainable import Trainable
from credence.models.training.weight_files import WeightFile, WeightLabel

PROGRESS_DELAY_SECONDS, LOG_SECONDS = 3.0, 10.0
OnEpoch = Callable[[Epoch], None]


def train(
    module: Trainable,
    rows: PaddedRows,
    held_out: PaddedRows | None,
    settings: Training,
    folder: Path | None = None,
    watch: OnEpoch | None = None,
    about: Mapping[str, object] | None = None,
) -> History:
    """Train a module; leave it in evaluation mode with the weights of the best held-out log-loss.

    On a CPU, the same call with the same number of threads gives the same bits.

    Args:
        module: The module; trained in place and returned to its device.
        rows: Training rows.
        held_out: Rows for early stopping. None: all epochs run and the last weights stay.
        settings: Optimizer, batches, device, precision and seed.
        folder: Folder for checkpoints, history and production weights. The same call resumes a killed run from it.
        watch: Called after each epoch in the main process; called again for an epoch that is repeated after a kill.
        about: Further facts that distinguish this run's checkpoints from others', such as a vocabulary.

    Returns:
        The metrics of every epoch, and notes.

    Raises:
        InputError: There are no rows, the device is absent, memory runs out in half batches too, or a loss or gradient
            is not finite.
    """
    if not len(rows) or (held_out is not None and not len(held_out)):
        raise InputError("there are no rows to learn from, or held-out rows were asked for and there are none.")
    device = chosen_device(settings)
    store = CheckpointStore(folder, run_identity(module, rows, held_out, settings, about or {})) if folder else None
    with seeded(settings.seed, device=device), deterministic(device):
        return _Run(module, rows, held_out, settings, ProcessGroup.join(device), store, watch).finish()


class _Run:
    """One call of `train` in one process of the group."""

    def __init__(
        self,
        module: Trainable,
        rows: PaddedRows,
        held_out: PaddedRows | None,
        settings: Training,
        group: ProcessGroup,
        store: CheckpointStore | None,
        watch: OnEpoch | None,
    ) -> None:
        self.rows, self.held_out, self.settings, self.group, self.watch = rows, held_out, settings, group, watch
        self.original_device = next(module.parameters()).device
        self.module = module.to(group.device)
        group.agree(self.module.state_dict().values())
        precision = chosen_precision(settings, group.device)
        self.optimizer = Optimizer(self.module, settings, group.device, precision)
        self.passes = ForwardBackward(self.module, self.optimizer, settings, group, precision, self._add_note)
        history = History(device=group.device.type, precision=precision, processes=group.size)
        self.state = RunState(history=history)
        self.best: dict[str, Tensor] = {}
        self.store, self.own_store = store, store if group.is_main else None
        self.unsaved, self.saved_at, self.since = True, time.monotonic(), time.monotonic()

    def finish(self) -> History:
        """Train to the end; return the history, including that of the resumed run."""
        self._resume()
        with self._progress_bar() as self.bar:
            while not self.state.history.stopped(self.settings):
                self._epoch(self.state.epoch)
        self._save()
        if self.best:
            self.module.load_state_dict(self.best)
        if self.own_store:
            best = self.state.history.best or self.state.history.epochs[-1]
            self.own_store.save_production(
                module_weights(self.module), best.model_dump(include={"number", "step", "held_out"})
            )
        self.module.to(self.original_device).eval()
        return self.state.history

    def _epoch(self, epoch: int) -> None:
        batches = plan_batches(self.rows.lengths, self.settings, epoch)
        self.module.train()
        for number in range(self.state.batch + 1, len(batches) + 1):
            self._step(batches[number - 1], number, len(batches))
            if number < len(batches):
                self._save_when_due()
        held_out = self._evaluate(epoch)
        self._add_seconds()
        self._publish(self.state.close(held_out, self.settings))
        self._save_when_due()

    def _step(self, batch: IntArray, number: int, of: int) -> None:
        epoch, ids = self.state.epoch, [self.rows.ids[i] for i in batch]
        nll, penalty = self.passes.compute_gradient(self.rows, batch, epoch, number)
        self._require_finite(f"the loss at epoch {epoch}, step {number}", nll + penalty, ids)
        norm = self.optimizer.step(progress(self.settings, epoch, number, of))
        self._require_finite(f"the gradient at epoch {epoch}, step {number}", torch.tensor([norm]), ids)
        self.state.add(nll, penalty, norm)
        self.unsaved = True
        self.bar.update(len(batch))
        self.bar.set_postfix_str(self.state.progress_text(), refresh=False)

    def _evaluate(self, epoch: int) -> float | None:
        """Return the held-out log-loss, or None without held-out rows."""
        if self.held_out is None:
            return None
        self.group.agree(self.module.buffers())
        self.module.eval()
        nll = self.passes.evaluate(self.held_out, epoch)
        self._require_finite(f"the held-out log-loss after epoch {epoch}", nll, list(self.held_out.ids))
        return float(nll.mean())

    def _publish(self, made: Epoch) -> None:
        """Save a milestone if the epoch is the best, save the history, and call `watch`."""
        self.unsaved, better = True, self.state.history.best is made
        if better:
            self.best = module_weights(self.module)
        if self.own_store:
            if better:
                self.own_store.save_milestone(made.step, self.best, made.model_dump())
            self.state.history.save(self.own_store.folder)
        if self.watch and self.group.is_main:
            self.watch(made)

    def _require_finite(self, what: str, values: Tensor, ids: list[str]) -> None:
        """Save the state from before and raise InputError if a value is not finite."""
        named = non_finite_rows(values, ids)
        if named is not None:
            self._save()
            kept = f"the checkpoints in {self.store.folder} are" if self.store else "the module's weights are"
            raise InputError(
                f"{what} is not a finite number, for the rows {named}; {kept} from before. "
                "Look at these rows, or lower the learning_rate."
            )

    def _save_when_due(self) -> None:
        if time.monotonic() - self.saved_at >= self.settings.checkpoint_seconds:
            self._save()

    def _save(self) -> None:
        """Save a training checkpoint, unless this step was saved already."""
        self.saved_at = time.monotonic()
        if not (self.own_store and self.unsaved):
            return
        self._add_seconds()
        self.state.halved, self.state.scaler = self.passes.halved, self.optimizer.facts()
        parts = {"module": module_weights(self.module), "best": self.best, "optimiser": self.optimizer.tensors()}
        tensors = {f"{part}.{name}": tensor for part, weights in parts.items() for name, tensor in weights.items()}
        self.own_store.save_training(self.state.step, tensors, self.state.model_dump(mode="json"))
        self.unsaved = False

    def _resume(self) -> None:
        """Restore the newest usable checkpoint of this run, which rank 0 reads for all processes."""
        if not self.store:
            return
        found, refused = self.store.newest() if self.group.is_main else (None, [])
        label = self.group.share(found.label.model_dump_json().encode() if found else None)
        data = self.group.share(found.weights if found else None)
        if label is not None and data is not None:
            self._restore(WeightFile(WeightLabel.model_validate_json(label), data))
        for sentence in refused:
            self._add_note(sentence)

    def _restore(self, found: WeightFile) -> None:
        tensors = found.tensors()
        parts: dict[str, dict[str, Tensor]] = {"module": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, _, own = name.partition(".")
            parts[part][own] = tensor
        here = self.state.history.model_dump(include={"device", "precision", "processes"})
        self.state = RunState.model_validate(found.label.facts)
        self.state.history = self.state.history.model_copy(update=here)
        self.module.load_state_dict(parts["module"])
        self.optimizer.restore(parts["optimiser"], self.state.scaler)
        self.best, self.passes.halved, self.unsaved = parts["best"], self.state.halved, False

    def _add_seconds(self) -> None:
        now = time.monotonic()
        self.state.seconds, self.since = self.state.seconds + now - self.since, now

    def _add_note(self, sentence: str) -> None:
        """Add a note to the history and print it."""
        self.state.history.notes.append(sentence)
        if self.group.is_main:
            log(f"  {sentence}")

    def _progress_bar(self) -> "tqdm[Any]":
        """Rows of all epochs; shown after three seconds, in a file every ten seconds."""
        done = (self.state.epoch - 1) * len(self.rows) + self.state.rows
        return tqdm(
            total=self.settings.epochs * len(self.rows),
            initial=done,
            desc=f"  {type(self.module).__name__}",
            unit="row",
            unit_scale=True,
            delay=PROGRESS_DELAY_SECONDS,
            mininterval=0.1 if sys.stderr.isatty() else LOG_SECONDS,
            leave=False,
            file=sys.stderr,
            disable=not self.group.is_main,
        )
