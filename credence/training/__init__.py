"""The one training engine of every kind that is a torch module: from encoded rows to its best weights and a history.

A kind encodes its rows (`EncodedRows`), says what a batch costs (`Learner.loss`) and calls `train`; the rest is here:
batches of like length, precision, accumulation, clipping, warm-up, early stopping, checkpoints, several processes.
"""

from credence.training.checkpoints import load_weights, newest_production
from credence.training.encoded import Batch, EncodedRows
from credence.training.engine import train
from credence.training.history import Epoch, History
from credence.training.learner import Learner, Loss
from credence.training.randomness import seeded
from credence.training.settings import Training

__all__ = [
    "Batch",
    "EncodedRows",
    "Epoch",
    "History",
    "Learner",
    "Loss",
    "Training",
    "load_weights",
    "newest_production",
    "seeded",
    "train",
]
