"""Periodic artefacts of position, found in the average vector at each position and taken out; content stays."""

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
    """x - g A[position] C: the harmonics of given periods in the mean over rows, if an F-test finds any.

    `observe` keeps an exponentially fading mean per position and label, `fit` regresses the mean of both labels on
    [1, p/L, (p/L)^2 | A], A = {sin, cos(2 pi h p / P)}, weighted by counts, and sets the gate g in {0, 1}. The trend
    stays in the data. Before `fit`, and where fewer positions than a period were seen, nothing is taken out. Labels
    weigh the same at every position: else what tells them apart would go too where they prefer some positions.

    The F-test sets harmonics against the frequencies beside them (after Thomson 1982), not against all that is left:
    whatever is smooth along a row has more power at low frequencies, and would always look periodic. The features
    share the level (Bonferroni), since they may depend on each other.
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
        """x [B, L, d] at position ids int64 [B, L] without the artefact: one gather, one addition."""
        position_ids = position_ids.clamp(min=0)
        places = torch.arange(int(position_ids.max()) + 1, device=x.device)
        artefact = self.gate.double() * self._waves(places) @ self.coefficients.double()
        return x - artefact.to(x.dtype)[position_ids]

    @torch.no_grad()
    def observe(self, x: Tensor, mask: Tensor, position_ids: Tensor, y: Tensor | None = None) -> None:
        """Take a batch's real tokens into the sums and counts of their positions, by label y [B] if there are labels.

        Raises BadInput for a position from `longest` on.
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
        """Regress the mean of every position, weighted by its count; open the gate where harmonics stand out."""
        at, count, mean = self._balanced()
        span = int(at[-1] - at[0]) + 1 if len(at) else 0
        known = torch.tensor([p <= span for p in self.frequencies.values()], device=at.device).repeat_interleave(2)
        self.gate.zero_()
        self.coefficients.zero_()
        if not known.any():
            return
        weight, trend = count.sqrt()[:, None], (at[:, None] / self.longest) ** torch.arange(TREND, device=at.device)
        designs = [weight * part for part in (trend, self._waves(at)[:, known], _waves(at, self._beside(span)))]
        if float(_chances(designs, weight * mean).min()) * mean.shape[1] < self.level:
            self.gate.fill_(1.0)
            self.coefficients[known] = _regressed(torch.cat(designs[:2], dim=1), weight * mean)[TREND:]

    def _balanced(self) -> tuple[Tensor, Tensor, Tensor]:
        """Positions [n] that every label was seen at, how many tokens [n] their mean is worth, and that mean [n, d]."""
        given = self.seen.sum(1) > 0
        seen, total = self.seen[given].double(), self.total[given].double()
        at = (seen > 0).all(0).nonzero()[:, 0] if len(seen) else torch.zeros(0, dtype=torch.int64)
        means = total[:, at] / seen[:, at, None]
        return at, len(seen) ** 2 / (1 / seen[:, at]).sum(0), means.mean(0)

    def _waves(self, places: Tensor) -> Tensor:
        """A [n, 2 H] at places int64 [n]."""
        return _waves(places, [float(f) for f in self.frequencies])

    def _beside(self, span: int) -> list[float]:
        """Frequencies around and between the harmonics, a period per span apart, that are none of them."""
        bins = [float(f) * span for f in self.frequencies]
        free = (
            n for n in range(1, int(max(bins)) + 1 + EXTRA_BINS) if min(abs(n - b) for b in bins) > MIN_BIN_DISTANCE
        )
        return [n / span for n in free if 2 * n < span]


def _frequencies(periods: tuple[int, ...], harmonics: int) -> dict[Fraction, int]:
    """Each frequency below one half once, and the shortest period it is a harmonic of."""
    pairs = [(Fraction(h, p), p) for p in sorted(periods, reverse=True) for h in range(1, harmonics + 1) if 2 * h < p]
    return dict(pairs)


def _waves(places: Tensor, frequencies: list[float]) -> Tensor:
    """Sine and cosine of every frequency at places int64 [n], float64 [n, 2 frequencies]."""
    turns = places[:, None] * torch.tensor(frequencies, dtype=torch.float64, device=places.device)
    angles = 2 * math.pi * turns
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def _regressed(design: Tensor, target: Tensor) -> Tensor:
    """Ridge coefficients [columns, d]."""
    gram = design.T @ design
    ridge = RIDGE * gram.diagonal().max() * torch.eye(len(gram), dtype=torch.float64, device=gram.device)
    found: Tensor = torch.linalg.solve(gram + ridge, design.T @ target)
    return found


def _chances(designs: list[Tensor], mean: Tensor) -> Tensor:
    """P-values [d] of the F-test that harmonics explain no more than what lies beside; designs: trend, those, this."""
    nested = [torch.cat(designs[: end + 1], dim=1) for end in range(len(designs))]
    if len(mean) <= nested[-1].shape[1]:
        return torch.ones(mean.shape[1])
    left = [(mean - design @ _regressed(design, mean)).square().sum(0) for design in nested]
    harmonic, beside = (left[0] - left[1]).clamp(min=0), (left[1] - left[2]).clamp(min=0)
    share = torch.where(harmonic > 0, beside / (harmonic + beside), 1.0)
    columns = [design.shape[1] / 2 for design in designs]
    return torch.as_tensor(betainc(columns[2], columns[1], share.cpu().numpy()))
