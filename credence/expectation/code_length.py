"""The loss that pays for the model too: a code length of labels and weights."""

from torch import Tensor

from credence.expectation.quadrature import expected_nll


def mdl_loss(mean: Tensor, variance: Tensor, y: Tensor, kl: Tensor, n_train: int) -> tuple[Tensor, Tensor]:
    """NLL of each row [B], and KL / n_train, which every row bears, both in nats.

    Mean NLL + KL / n_train is the bits-back code of labels and model, per row (Hinton & van Camp 1993; Blier & Ollivier
    2018, the variational code). mean and variance [B] are of Gaussian logits, y in {0, 1} is [B], kl a scalar in nats.
    """
    return expected_nll(mean, variance, y), kl / n_train
