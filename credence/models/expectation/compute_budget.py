"""How many steps or passes a row is worth: a budget by length, a rule to stop early, and a block run that often."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from credence.core.errors import InputError

SETTLED_SD = 3.0
RunPasses = Callable[[Tensor, int, int], Tensor]


class ComputeBudget(nn.Module):
    """k = clamp(ceil(c sqrt(n) log2(1/epsilon)), least, most): a heuristic with one constant, fitted by `fit`.

    From k* = sqrt(alpha n / (H_CoT (B0 - Bopt))) log2(1/epsilon) in arXiv 2507.11768v1 (its optimal reasoning length),
    whose other constants nobody can measure; version 2 of the paper dropped the claim. No network, no gradient.
    """

    constant: Tensor

    def __init__(self, least: int = 1, most: int = 16, constant: float = 1.0) -> None:
        super().__init__()
        if not 1 <= least <= most:
            raise InputError(f"least {least}, most {most}: expected 1 <= least <= most.")
        self.least, self.most = least, most
        self.register_buffer("constant", torch.tensor(constant, dtype=torch.float64))

    def forward(self, lengths: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
        """k int64 [B] and, before rounding and limits, float64 [B], for lengths int64 [B] and epsilon in (0, 1)."""
        wanted = self.constant.double() * _shape(lengths, epsilon)
        return wanted.ceil().clamp(self.least, self.most).long(), wanted

    @torch.no_grad()
    def fit(self, lengths: Tensor, needed: Tensor, epsilon: float) -> None:
        """Fit by least squares the k that held-out rows needed (`smallest_sufficient_k`), int64 [n], on lengths [n]."""
        shape = _shape(lengths, epsilon)
        self.constant.copy_((shape * needed).sum() / shape.square().sum().clamp(min=torch.finfo(torch.float64).tiny))


def smallest_sufficient_k(nll: Tensor, ks: Tensor, epsilon: float) -> Tensor:
    """The smallest of ks int64 [T] at which a row's NLL [T, n], in nats, comes within epsilon of that at the last."""
    return ks[(nll <= nll[-1] + epsilon).int().argmax(0)]


def run_block_repeatedly(block: Callable[..., Tensor], x: Tensor, mask: Tensor, k: Tensor, *more: Tensor) -> Tensor:
    """Run one weight-tied block on x [B, L, d] with mask [B, L], k int64 [B] times per row; rows that are done rest.

    `more`, such as segment ids [B, L], goes to the block as well.
    """
    for step in range(int(k.max())):
        rows = (k > step).nonzero()[:, 0]
        x = x.index_copy(0, rows, block(x[rows], mask[rows], *(part[rows] for part in more)))
    return x


@dataclass(frozen=True)
class StoppedPasses:
    """Per row [B]: the mean probability of the k passes it took (float64), their sd, and k (int64)."""

    probability: Tensor
    std: Tensor
    k: Tensor


def sample_until_settled(
    passes: RunPasses, rows: int, most: int, epsilon: float, z: float = SETTLED_SD, least: int = 2
) -> StoppedPasses:
    """Double the passes of each row, least, … most, until its answer is settled or precise enough.

    Settled: |mean - 1/2| > z sd / sqrt(k). Precise: sd / sqrt(k) <= epsilon. `passes(rows, first, last)` gives the
    probabilities [last - first, len(rows)] of passes first..last-1 for the rows int64 that still need them. Two passes
    tell their spread so badly that close answers settle too soon; `least` 4 costs two more and avoids most of that.
    """
    if not 2 <= least <= most:
        raise InputError(f"least {least}, most {most}: expected 2 or more, since one pass cannot tell its spread.")
    active, drawn = torch.arange(rows), torch.empty(0, rows, dtype=torch.float64)
    mean, std, k = torch.empty(rows).double(), torch.empty(rows).double(), torch.zeros(rows, dtype=torch.int64)
    for last in _ladder(least, most):
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


def _ladder(least: int, most: int) -> list[int]:
    return [*(least * 2**i for i in range(most.bit_length()) if least * 2**i < most), most]
