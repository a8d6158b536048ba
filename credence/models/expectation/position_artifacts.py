"""Removal of periodic position artifacts, detected in the mean vector at each position."""

import math
from fractions import Fraction

import torch
from scipy.special import betainc
from torch import Tensor, nn

from credence.core.errors import InputError

TREND = 3
RIDGE = 1e-9
EXTRA_BINS = 2
MIN_BIN_DISTANCE = 0.75


class HarmonicProjection(nn.Module):
    """Subtracts g A[position] C: harmonics of given periods in the mean over rows, if an F-test detects any.

    `observe` keeps an exponentially fading mean per position and label. `fit` regresses it on [1, p/L, (p/L)² | A] with
    A = {sin, cos(2 pi h p / P)}, weighted by counts, and sets the gate g to 0 or 1. The trend is not subtracted. Before
    `fit`, and for periods longer than the observed positions, nothing is subtracted.

    Both labels have the same weight at every position. Otherwise, if a label prefers some positions, the difference
    between the labels would be removed too.

    The F-test compares harmonics with neighboring frequencies (after Thomson 1982), not with the whole residual:
    smooth signals have more power at low frequencies and would always look periodic. Features share the level
    (Bonferroni), since they may be dependent.

    Args:
        width: Number of features, d.
        longest: Number of positions.
        periods: Periods P, above 2.
        harmonics: Harmonics h per period, from 1.
        fading: Factor of earlier sums at each `observe`.
        level: Significance level of the F-test.

    Raises:
        InputError: No frequency below one half results.
    """

    total: Tensor
    seen: Tensor
    coefficients: Tensor
    gate: Tensor

    def __init__(
        self,
        width: int,
        longest: int,
        periods: tuple[int, ...] = (64,),
        harmonics: int = 4,
        fading: float = 0.99,
        level: float = 0.01,
    ) -> None:
        super().__init__()
        self.longest, self.fading, self.level = longest, fading, level
        self.frequencies = _frequencies(periods, harmonics)
        if not self.frequencies:
            raise InputError(
                f"periods {periods}, harmonics {harmonics}: expected a period above 2, harmonics from 1 on."
            )
        for name, shape in {"total": (2, longest, width), "seen": (2, longest), "gate": ()}.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("coefficients", torch.zeros(2 * len(self.frequencies), width, dtype=torch.float64))

    def forward(self, x: Tensor, position_ids: Tensor) -> Tensor:
        """Subtract the artifact from x [B, L, d] at position ids int64 [B, L]."""
        position_ids = position_ids.clamp(min=0)
        places = torch.arange(int(position_ids.max()) + 1, device=x.device)
        artifact = self.gate.double() * self._waves(places) @ self.coefficients.double()
        return x - artifact.to(x.dtype)[position_ids]

    @torch.no_grad()
    def observe(self, x: Tensor, mask: Tensor, position_ids: Tensor, y: Tensor | None = None) -> None:
        """Add the real tokens of a batch to the sums and counts of their positions.

        Args:
            x: Vectors, shape [B, L, d].
            mask: True for real tokens, bool [B, L].
            position_ids: int64 [B, L].
            y: Labels in {0, 1}, shape [B]. Default: one label for all.

        Raises:
            InputError: A position is not below `longest`.
        """
        places = position_ids[mask]
        if len(places) and int(places.max()) >= self.longest:
            raise InputError(f"position {int(places.max())}: expected positions below longest, {self.longest}.")
        label = torch.zeros_like(position_ids) if y is None else y.long()[:, None].expand_as(position_ids)
        at = (label[mask], places)
        self.total.mul_(self.fading).index_put_(at, x[mask].double(), accumulate=True)
        self.seen.mul_(self.fading).index_put_(at, torch.ones_like(places, dtype=torch.float64), accumulate=True)

    @torch.no_grad()
    def fit(self) -> None:
        """Regress the mean of every position, weighted by its count; set the gate to 1 if harmonics are significant."""
        at, count, mean = self._balanced()
        span = int(at[-1] - at[0]) + 1 if len(at) else 0
        known = torch.tensor([p <= span for p in self.frequencies.values()], device=at.device).repeat_interleave(2)
        self.gate.zero_()
        self.coefficients.zero_()
        if not known.any():
            return
        weight, trend = count.sqrt()[:, None], (at[:, None] / self.longest) ** torch.arange(TREND, device=at.device)
        designs = [weight * part for part in (trend, self._waves(at)[:, known], _waves(at, self._neighboring(span)))]
        if float(_p_values(designs, weight * mean).min()) * mean.shape[1] < self.level:
            self.gate.fill_(1.0)
            self.coefficients[known] = _ridge_coefficients(torch.cat(designs[:2], dim=1), weight * mean)[TREND:]

    def _balanced(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return positions [n] observed for every label, the effective number of tokens [n] and the mean [n, d]."""
        given = self.seen.sum(1) > 0
        seen, total = self.seen[given].double(), self.total[given].double()
        at = (seen > 0).all(0).nonzero()[:, 0] if len(seen) else torch.zeros(0, dtype=torch.int64)
        means = total[:, at] / seen[:, at, None]
        return at, len(seen) ** 2 / (1 / seen[:, at]).sum(0), means.mean(0)

    def _waves(self, places: Tensor) -> Tensor:
        """Return A [n, 2 H] at positions int64 [n]."""
        return _waves(places, [float(f) for f in self.frequencies])

    def _neighboring(self, span: int) -> list[float]:
        """Return frequencies around and between the harmonics, 1 / span apart, without the harmonics themselves."""
        bins = [float(f) * span for f in self.frequencies]
        free = (
            n for n in range(1, int(max(bins)) + 1 + EXTRA_BINS) if min(abs(n - b) for b in bins) > MIN_BIN_DISTANCE
        )
        return [n / span for n in free if 2 * n < span]


def _frequencies(periods: tuple[int, ...], harmonics: int) -> dict[Fraction, int]:
    """Return each frequency below one half and the shortest period that it is a harmonic of."""
    pairs = [(Fraction(h, p), p) for p in sorted(periods, reverse=True) for h in range(1, harmonics + 1) if 2 * h < p]
    return dict(pairs)


def _waves(places: Tensor, frequencies: list[float]) -> Tensor:
    """Return sine and cosine of every frequency at positions int64 [n], float64 [n, 2 frequencies]."""
    turns = places[:, None] * torch.tensor(frequencies, dtype=torch.float64, device=places.device)
    angles = 2 * math.pi * turns
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def _ridge_coefficients(design: Tensor, target: Tensor) -> Tensor:
    """Return ridge coefficients [columns, d]."""
    gram = design.T @ design
    ridge = RIDGE * gram.diagonal().max() * torch.eye(len(gram), dtype=torch.float64, device=gram.device)
    found: Tensor = torch.linalg.solve(gram + ridge, design.T @ target)
    return found


def _p_values(designs: list[Tensor], mean: Tensor) -> Tensor:
    """Return p-values [d] of the F-test of harmonics against neighboring frequencies.

    The designs are those of trend, harmonics and neighboring frequencies.
    """
    nested = [torch.cat(designs[: end + 1], dim=1) for end in range(len(designs))]
    if len(mean) <= nested[-1].shape[1]:
        return torch.ones(mean.shape[1])
    left = [(mean - design @ _ridge_coefficients(design, mean)).square().sum(0) for design in nested]
    harmonic, beside = (left[0] - left[1]).clamp(min=0), (left[1] - left[2]).clamp(min=0)
    share = torch.where(harmonic > 0, beside / (harmonic + beside), 1.0)
    columns = [design.shape[1] / 2 for design in designs]
    return torch.as_tensor(betainc(columns[2], columns[1], share.cpu().numpy()))
