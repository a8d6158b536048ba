"""The interface of a torch module that the engine trains."""

from typing import NamedTuple

from torch import Tensor, nn

from credence.models.training.padded_batch import Batch


class Loss(NamedTuple):
    """The loss of a batch. Training minimizes mean(nll) + penalty; early stopping uses nll alone.

    Attributes:
        nll: Negative log-likelihood of each row in nats, shape (rows,).
        penalty: Penalty per row in nats, such as KL / N, shape ().
    """

    nll: Tensor
    penalty: Tensor | float = 0.0


class Trainable(nn.Module):
    """A module with a loss. It may draw random numbers only from torch's generator, which the engine seeds."""

    def loss(self, batch: Batch) -> Loss:
        """Return the loss of a batch; called in training mode and, for held-out rows, in evaluation mode."""
        raise NotImplementedError

    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        """Return whether weight decay applies to a parameter; by default to tensors of two dimensions or more."""
        return parameter.ndim > 1

    def pace(self, name: str) -> float:
        """Return the factor of a parameter's learning rate; by default 1."""
        return 1.0
