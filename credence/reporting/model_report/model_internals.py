"""Sections of a report on the model itself: evidence, order of parts, code length, training record."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.evaluation.code_length import label_bits
from credence.model import TrainingRecord
from credence.reporting.measure import Measure, measure_with_intervals
from credence.statistics.calibration import Bools
from credence.statistics.curves import ScoredLabels
from credence.statistics.uncertainty import Array

BINS = 24
MAX_CHAINS = 6
MAX_DRAWS = 200
SHOWN_SHARE = 0.95


class EvidenceReport(StrictModel):
    """Histogram of the evidence (alpha + beta of the Beta belief) behind correct and behind wrong answers.

    `edges` are log10 of the evidence, which is counted in rows.
    """

    edges: list[float]
    right: list[int]
    wrong: list[int]
    median_right: float | None
    median_wrong: float | None

    @classmethod
    def of(cls, found: dict[str, Array], wrong: Bools) -> Self | None:
        """Build it from `Model.row_diagnostics`.

        Args:
            found: Diagnostics by name, each of shape (rows,).
            wrong: Marks the wrong answers, shape (rows,).

        Returns:
            The histogram; None if the diagnostics have no alpha and beta.
        """
        if not {"alpha", "beta"} <= set(found):
            return None
        evidence = found["alpha"] + found["beta"]
        size = np.log10(np.maximum(evidence, 1e-12))
        low, high = float(size.min()), float(size.max())
        edges = np.linspace(low, max(high, low + 0.1), BINS + 1)
        counts = [np.histogram(size[part], edges)[0].tolist() for part in (~wrong, wrong)]
        middle = [float(np.median(evidence[part])) if part.any() else None for part in (~wrong, wrong)]
        return cls(
            edges=edges.round(5).tolist(),
            right=counts[0],
            wrong=counts[1],
            median_right=middle[0],
            median_wrong=middle[1],
        )

    def flat(self) -> dict[str, float | None]:
        """The medians by name."""
        return {"evidence_right": self.median_right, "evidence_wrong": self.median_wrong}


class OrderReport(StrictModel):
    """How much answers depend on the order of the parts of a row, which should not matter.

    Attributes:
        sd: Standard deviation of p over orders; mean and 95 % quantile over rows.
        jsd: Jensen-Shannon divergence between orders in nats; mean and 95 % quantile over rows.
        gain: Log-loss that averaging over orders saves in the mean row, in nats (Jensen gap).
    """

    sd: dict[str, Measure]
    jsd: dict[str, Measure]
    gain: Measure | None = None

    @classmethod
    def of(cls, found: dict[str, Array], y: ScoredLabels, w: NDArray[Any]) -> Self | None:
        """Build it from `Model.row_diagnostics`.

        Args:
            found: Diagnostics by name, each of shape (rows,).
            y: True labels, shape (rows,).
            w: Bootstrap weights, shape (resamples, rows).

        Returns:
            The report; None if the diagnostics say nothing on orders.
        """
        if not {"order_sd", "order_jsd", "order_gain_yes", "order_gain_no"} <= set(found):
            return None
        gain = _spread(np.where(y == 1, found["order_gain_yes"], found["order_gain_no"]), w)["mean"]
        return cls(sd=_spread(found["order_sd"], w), jsd=_spread(found["order_jsd"], w), gain=gain)

    def measured(self) -> dict[str, Measure]:
        """The measures by name: order_sd_mean, order_sd_p95, order_jsd_mean, order_jsd_p95, order_gain."""
        named = {"order_sd": self.sd, "order_jsd": self.jsd}
        spread = {f"{name}_{k}": m for name, of in named.items() for k, m in of.items()}
        return spread if self.gain is None else {**spread, "order_gain": self.gain}


def _spread(x: Array, w: NDArray[Any]) -> dict[str, Measure]:
    order = np.argsort(x, kind="stable")

    def statistic(w: NDArray[np.integer]) -> dict[str, Array]:
        so_far = w[:, order].cumsum(1, dtype=np.int64)
        at = (so_far >= SHOWN_SHARE * so_far[:, -1:]).argmax(1)
        return {"mean": w @ x / w.sum(1), "p95": x[order][at]}

    return measure_with_intervals(statistic, w)


class CodeLength(StrictModel):
    """Code length of the test labels in bits: with the predictor, and with a code that knows only the share of yes.

    Attributes:
        data: Bits of the labels, coded with the predictor's probabilities.
        labels: Bits without a predictor, n H(share of yes) + log2(n) / 2.
        model: Bits of the weights, if the kind can tell.
    """

    data: float
    labels: float
    model: float | None

    @property
    def saved(self) -> float:
        """Share of the bits that the predictor saves; negative if it costs more than it saves."""
        return 1 - (self.data + (self.model or 0.0)) / self.labels

    @classmethod
    def of(cls, p: Array, y: ScoredLabels, model_bits: float | None) -> Self:
        """Build it from calibrated probabilities and true labels, both of shape (rows,)."""
        told = np.where(y == 1, p, 1 - p)
        return cls(data=float(-np.log2(np.maximum(told, 1e-15)).sum()), labels=label_bits(y), model=model_bits)

    def flat(self, rows: int) -> dict[str, float | None]:
        """Bits by name, those of the data also per row."""
        return {
            "bits_data": self.data,
            "bits_per_row": self.data / rows,
            "bits_labels": self.labels,
            "bits_model": self.model,
            "bits_saved": self.saved,
        }


def trim_training_record(learned: TrainingRecord) -> TrainingRecord:
    """Shorten a training record for the report: only the six chains with the highest R-hat, thinned to 200 draws."""
    worst = sorted(learned.chains, key=lambda name: -r_hat(np.array(learned.chains[name])))[:MAX_CHAINS]
    chains = {name: [_thin(chain) for chain in learned.chains[name]] for name in worst}
    return learned.model_copy(update={"chains": chains})


def _thin(chain: list[float]) -> list[float]:
    places = np.unique(np.linspace(0, len(chain) - 1, min(len(chain), MAX_DRAWS)).round().astype(int))
    return [float(f"{chain[i]:.6g}") for i in places]


def r_hat(chains: Array) -> float:
    """Split R-hat of draws (chains, draws); 1 if all half-chains agree (Gelman et al. 2013, 11.4)."""
    half = chains.shape[1] // 2
    if half < 2:
        return 1.0
    halves = np.concatenate([chains[:, :half], chains[:, -half:]])
    within, between = halves.var(1, ddof=1).mean(), half * halves.mean(1).var(ddof=1)
    return float(np.sqrt(((half - 1) / half * within + between / half) / within)) if within > 0 else np.inf


def chain_ranks(chains: Array, bins: int = 20) -> NDArray[np.int64]:
    """Count the draws of each chain in `bins` equal parts of the ranks of all draws (Vehtari et al. 2021).

    Args:
        chains: Draws, shape (chains, draws).
        bins: Number of parts.

    Returns:
        Counts, shape (chains, bins); they are about equal if the chains have mixed.
    """
    place = np.argsort(np.argsort(chains, axis=None, kind="stable")).reshape(chains.shape)
    bin_of = place * bins // chains.size
    return np.stack([np.bincount(row, minlength=bins) for row in bin_of])
