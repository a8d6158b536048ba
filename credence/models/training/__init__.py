"""The training engine of all torch kinds: encoded rows in, best weights and a history out.

A kind encodes its rows (`PaddedRows`), defines the loss of a batch (`Trainable.loss`) and calls `train`. The engine
adds batches of similar length, precision, accumulation, clipping, warm-up, early stopping, checkpoints and several
processes.
"""

from credence.models.training.checkpoints import load_weights, newest_production
from credence.models.training.engine import train
from credence.models.training.history import Epoch, History
from credence.models.training.padded_batch import Batch, PaddedRows
from credence.models.training.rng import seeded
from credence.models.training.settings import Training
from credence.models.training.trainable import Loss, Trainable

__all__ = [
    "Batch",
    "Epoch",
    "History",
    "Loss",
    "PaddedRows",
    "Trainable",
    "Training",
    "load_weights",
    "newest_production",
    "seeded",
    "train",
]
