"""Adaptive compute: steps per row by length, early stopping of sampling, and a repeated block."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from credence.core.errors import InputError

SETTLED_SD = 3.0
RunPasses = Callable[[Tensor, int, int], Tensor]


class ComputeBudget(nn.Module):
    """Steps per row, k = clamp(ceil(c sqrt(n) log2(1/epsilon)), least, most): a heuristic with one fitted constant c.

    It follows k* = sqrt(alpha n / (H_CoT (B0 - Bopt))) log2(1/epsilon), the optimal reasoning length of arXiv
    2507.11768v1. The other constants cannot be measured; version 2 of the paper dropped the claim. There is no network
    and no gradient.

    Args:
        least: Smallest k, at least 1.
        most: Largest k.
        constant: Initial c.

    Raises:
        InputError: The limits are not 1 <= least <= most.
    """

    constant: Tensor

    def __init__(self, least: int = 1, most: int = 16, constant: float = 1.0) -> None:
        super().__init__()
        if not 1 <= least <= most:
            raise InputError(f"least {least}, most {most}: expected 1 <= least <= most.")
        self.least, self.most = least, most
        self.register_buffer("constant", torch.tensor(constant, dtype=torch.float64))

    def forward(self, lengths: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
        """Compute k for lengths int64 [B].

        Args:
            lengths: Lengths n, int64 [B].
            epsilon: Target precision, in (0, 1).

        Returns:
            k, int64 [B], and k before rounding and limits, float64 [B].

        Raises:
            InputError: Epsilon is not in (0, 1).
        """
        wanted = self.constant.double() * _shape(lengths, epsilon)
        return wanted.ceil().clamp(self.least, self.most).long(), wanted

    @torch.no_grad()
    def fit(self, lengths: Tensor, needed: Tensor, epsilon: float) -> None:
        """Fit c by least squares.

        Args:
            lengths: Lengths of held-out rows, int64 [n].
            needed: The k that each row needed (`smallest_sufficient_k`), int64 [n].
            epsilon: Target precision, in (0, 1).

        Raises:
            InputError: Epsilon is not in (0, 1).
        """
        shape = _shape(lengths, epsilon)
        self.constant.copy_((shape * needed).sum() / shape.square().sum().clamp(min=torch.finfo(torch.float64).tiny))


def smallest_sufficient_k(nll: Tensor, ks: Tensor, epsilon: float) -> Tensor:
    """Return the smallest k at which a row's NLL is within epsilon of its NLL at the last k, int64 [n].

    Args:
        nll: NLL in nats at each k, shape [T, n].
        ks: The values of k in ascending order, int64 [T].
        epsilon: Tolerance in nats.
    """
    return ks[(nll <= nll[-1] + epsilon).int().argmax(0)]


def run_block_repeatedly(block: Callable[..., Tensor], x: Tensor, mask: Tensor, k: Tensor, *more: Tensor) -> Tensor:
    """Apply one weight-tied block k times to each row; finished rows are not computed again.

    Args:
        block: Called with x, mask and `more` of the unfinished rows; returns the new x.
        x: Vectors, shape [B, L, d].
        mask: True for real tokens, shape [B, L].
        k: Times per row, int64 [B].
        more: Further arguments of the block, such as segment ids [B, L].

    Returns:
        Vectors, shape [B, L, d].
    """
    for step in range(int(k.max())):
        rows = (k > step).nonzero()[:, 0]
        x = x.index_copy(0, rows, block(x[rows], mask[rows], *(part[rows] for part in more)))
    return x


@dataclass(frozen=True)
class StoppedPasses:
    """The result of adaptive sampling: mean probability and sd over k passes, float64 [B], and k, int64 [B]."""

    probability: Tensor
    std: Tensor
    k: Tensor


def sample_until_settled(
    passes: RunPasses, rows: int, most: int, epsilon: float, z: float = SETTLED_SD, least: int = 2
) -> StoppedPasses:
    """Double the passes of each row, from `least` to `most`, until its label is settled or its probability precise.

    Settled: |mean - 1/2| > z sd / sqrt(k). Precise: sd / sqrt(k) <= epsilon. Two passes estimate the sd so poorly that
    close rows settle too soon; `least` 4 avoids most of that for two more passes.

    Args:
        passes: Called with row numbers int64 [n], first and last; returns the probabilities [last - first, n] of passes
            first to last - 1.
        rows: Number of rows.
        most: Most passes per row.
        epsilon: Standard error that is precise enough.
        z: Standard errors from 1/2 that settle the label.
        least: Fewest passes per row, at least 2.

    Raises:
        InputError: The limits are not 2 <= least <= most.
    """
    if not 2 <= least <= most:
        raise InputError(f"least {least}, most {most}: expected 2 or more, since one pass has no standard deviation.")
    active, drawn = torch.arange(rows), torch.empty(0, rows, dtype=torch.float64)
    mean, std, k = torch.empty(rows).double(), torch.empty(rows).double(), torch.zeros(rows, dtype=torch.int64)
    for last in _doublings(least, most):
        drawn = torch.cat([drawn, passes(active, len(drawn), last).double()])
        mean[active], std[active], k[active] = drawn.mean(0), drawn.std(0), last
        error = drawn.std(0) / math.sqrt(last)
        open_ = ((drawn.mean(0) - 0.5).abs() <= z * error) & (error > epsilon)
        active, drawn = active[open_], drawn[:, open_]
        if not len(active):
            break
    return StoppedPasses(mean, std, k)


def _shape(lengths: Tensor, epsilon: float) -> Tensor:
    if not 0 < epsilon < 1:
        raise InputError(f"epsilon {epsilon}: expected a number between 0 and 1.")
    return lengths.double().clamp(min=0).sqrt() * -math.log2(epsilon)


def _doublings(least: int, most: int) -> list[int]:
    return [*(least * 2**i for i in range(most.bit_length()) if least * 2**i < most), most]
