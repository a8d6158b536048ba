"""The one training engine of every kind that is a torch module: from encoded rows to its best weights and a history.

A kind encodes its rows (`PaddedRows`), says what a batch costs (`Trainable.loss`) and calls `train`; the rest is here:
batches of like length, precision, accumulation, clipping, warm-up, early stopping, checkpoints, several processes.
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
