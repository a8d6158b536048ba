"""How many bits it takes to send the labels: a training loss, and a report, that pay for the model too."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from credence.expectation.quadrature import expected_nll


def mdl_loss(
    logits: Tensor, y: Tensor, kl: Tensor, n_train: int, variance: Tensor | None = None, beta: float = 1.0
) -> dict[str, Tensor]:
    """Mean NLL + beta KL / n_train in nats: with beta 1 the bits-back code of labels and model, per row.

    Hinton & van Camp 1993; Blier & Ollivier 2018 (the variational code). logits and y in {0, 1} are [B], kl a
    scalar in nats; variance [B] where the logit is Gaussian. Gives `loss`, `nll`, `kl_per_row` (nats), `bits_data` (of
    this batch) and `bits_model` (of the whole).
    """
    losses = expected_nll(logits, torch.zeros_like(logits) if variance is None else variance, y)
    nll, kl_per_row = losses.mean(), kl / n_train
    bits = {"bits_data": losses.detach().sum() / math.log(2), "bits_model": kl.detach() / math.log(2)}
    return {"loss": nll + beta * kl_per_row, "nll": nll, "kl_per_row": kl_per_row, **bits}


@dataclass(frozen=True)
class DescriptionLength:
    """Bits to send n labels: of the labels given the model, of the model, and of a code that needs none."""

    data: float
    model: float
    labels: float

    @property
    def total(self) -> float:
        """Bits of the labels and the model together."""
        return self.data + self.model

    @property
    def compression(self) -> float:
        """How many times shorter than the code that knows only the share of yes; below 1 the model does not pay."""
        return self.labels / self.total if self.total > 0 else math.inf


def description_length(nll: Tensor, kl: Tensor, y: Tensor) -> DescriptionLength:
    """The two-part code from the NLL [n] and KL [] in nats and the labels y [n] in {0, 1}."""
    return DescriptionLength(_bits(nll), _bits(kl), label_bits(y))


def label_bits(y: Tensor) -> float:
    """n H(share of yes) + log2(n) / 2: the two-part code of labels y [n] in {0, 1} without a model, in bits."""
    n, share = len(y), y.double().mean()
    entropy = torch.special.entr(share) + torch.special.entr(1 - share)
    return float(n * entropy) / math.log(2) + 0.5 * math.log2(n)


def kt_bits(yes: int, no: int) -> float:
    """The Krichevsky-Trofimov code of a sequence with so many yes and no: -log2 of B(yes+1/2, no+1/2) / B(1/2, 1/2).

    Equal to coding one by one with (count + 1/2) / (n + 1), in any order (Krichevsky & Trofimov 1981).
    """
    log = math.lgamma(yes + 0.5) + math.lgamma(no + 0.5) - math.lgamma(yes + no + 1) - math.log(math.pi)
    return -log / math.log(2)


def _bits(nats: Tensor) -> float:
    return float(nats.detach().double().sum()) / math.log(2)
