"""Code length of labels in bits: two-part code, Krichevsky-Trofimov code, and prequential code with a model."""

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import lgamma, log, pi

import numpy as np
import pandas as pd
from tqdm import tqdm

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.model import Labels, Model
from credence.statistics.cross_validation import PROGRESS_DELAY_SECONDS
from credence.statistics.uncertainty import Array, entropy

SHARES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
Coder = Callable[[int, int], Array]
EPSILON = 1e-15


def label_bits(y: Labels) -> float:
    """Two-part code length of n labels without a model: n H(share of yes) + log2(n) / 2 bits."""
    return len(y) * float(entropy(np.array([np.mean(y)]))[0]) + 0.5 * float(np.log2(len(y)))


def kt_bits(yes: int, no: int) -> float:
    """Krichevsky-Trofimov code length of a sequence in bits: -log2 of B(yes + 1/2, no + 1/2) / B(1/2, 1/2).

    It equals coding one label after another with probability (count + 1/2) / (n + 1), in any order
    (Krichevsky & Trofimov 1981).
    """
    return (lgamma(yes + no + 1) + log(pi) - lgamma(yes + 0.5) - lgamma(no + 0.5)) / log(2)


def boundaries(n: int, shares: Sequence[float] = SHARES) -> list[int]:
    """Row numbers at which the blocks end: these shares of n rows, distinct and increasing; the last one is n."""
    return sorted({max(1, round(share * n)) for share in shares} | {n})


def prequential_code_length(coder: Coder, ends: Sequence[int]) -> list[float]:
    """Bits of each block, coded by a model that was fitted to all rows before it (Dawid 1984; Voita & Titov 2020).

    The sum compares models: it includes the cost of a model without counting its parameters.

    Args:
        coder: `coder(first, last)` fits a model to rows 0..first-1 and gives the NLL of rows first..last-1 in nats.
        ends: Increasing row numbers at which blocks end. The first block costs 1 bit per row.

    Raises:
        InputError: `ends` is empty, not increasing, or starts below 1.
    """
    if list(ends) != sorted(set(ends)) or not ends or ends[0] < 1:
        raise InputError(
            f"ends {list(ends)}: expected numbers of rows that grow, from 1 on; see code_length.boundaries."
        )
    return [float(ends[0]), *(float(coder(first, last).sum()) / log(2) for first, last in pairwise(ends))]


def prequential_bits(spec: ModelSpec, X: pd.DataFrame, y: Labels) -> float:
    """Prequential code length of labels y given rows X, in bits per row.

    The rows are shuffled with the spec's seed, and one model is fitted for every block but the first. If all labels
    before a block are equal, the block is coded by counts, with (count + 1/2) / (n + 1). All fits together take 1.27
    times as long as one fit to all rows, if the time is proportional to the rows.
    """
    order = np.random.default_rng((spec.model_extra or {}).get("seed", 0)).permutation(len(y))
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    ends = boundaries(len(y))
    shown = {"unit": "block", "delay": PROGRESS_DELAY_SECONDS, "leave": False, "file": sys.stderr}
    with tqdm(desc=f"  prequential {spec.kind}", total=len(ends) - 1, **shown) as bar:

        def coder(first: int, last: int) -> Array:
            nll = _nll(spec, X, y, first, last)
            bar.update()
            return nll

        return sum(prequential_code_length(coder, ends)) / len(y)


def _nll(spec: ModelSpec, X: pd.DataFrame, y: Labels, first: int, last: int) -> Array:
    """NLL in nats of rows first..last-1, shape (last - first,)."""
    if len(np.unique(y[:first])) < 2:
        p = np.full(last - first, (y[:first].sum() + 0.5) / (first + 1))
    else:
        model: Model = spec.build().fit(X.iloc[:first], y[:first])
        p = model.draws(X.iloc[first:last]).mean(0)
    nats: Array = -np.log(np.maximum(np.where(y[first:last] == 1, p, 1 - p), EPSILON))
    return nats
