"""What a torch module must say for itself to be trained."""

from typing import NamedTuple

from torch import Tensor, nn

from credence.models.training.padded_batch import Batch


class Loss(NamedTuple):
    """Negative log-likelihood in nats of each row, shape (rows,), and a penalty per row, such as KL / N, shape ().

    Learning minimises the mean of the first plus the second; early stopping looks at the first alone.
    """

    nll: Tensor
    penalty: Tensor | float = 0.0


class Trainable(nn.Module):
    """A module that knows its loss. It draws at random from torch's generator only, which the engine seeds."""

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch, in training mode to learn from and in evaluation mode to be judged by."""
        raise NotImplementedError

    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether weight decay applies to a parameter: to matrices, unless a kind knows better."""
        return parameter.ndim > 1

    def pace(self, name: str) -> float:
        """How many times the learning rate a parameter takes: all alike, unless a kind knows better."""
        return 1.0
