"""How many bits it takes to send answers: knowing their share, counting, or block by block with models that learn."""

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
    """n H(share of yes) + log2(n) / 2: the two-part code of n answers without a model."""
    return len(y) * float(entropy(np.array([np.mean(y)]))[0]) + 0.5 * float(np.log2(len(y)))


def kt_bits(yes: int, no: int) -> float:
    """The Krichevsky-Trofimov code of a sequence with so many yes and no: -log2 of B(yes+1/2, no+1/2) / B(1/2, 1/2).

    Equal to coding one by one with (count + 1/2) / (n + 1), in any order (Krichevsky & Trofimov 1981).
    """
    return (lgamma(yes + no + 1) + log(pi) - lgamma(yes + 0.5) - lgamma(no + 0.5)) / log(2)


def boundaries(n: int, shares: Sequence[float] = SHARES) -> list[int]:
    """Where the blocks end, in rows: these shares of n rows, each once, the last one n."""
    return sorted({max(1, round(share * n)) for share in shares} | {n})


def prequential_code_length(coder: Coder, ends: Sequence[int]) -> list[float]:
    """Bits of each block, coded by a model that learned from all rows before it (Dawid 1984; Voita & Titov 2020).

    `coder(first, last)` learns from rows 0..first-1 and gives the NLL of rows first..last-1 in nats; the first block
    costs a bit a row. Their sum compares models: it pays for the model without counting its parameters.
    """
    if list(ends) != sorted(set(ends)) or not ends or ends[0] < 1:
        raise InputError(
            f"ends {list(ends)}: expected numbers of rows that grow, from 1 on; see code_length.boundaries."
        )
    return [float(ends[0]), *(float(coder(first, last).sum()) / log(2) for first, last in pairwise(ends))]


def prequential_bits(spec: ModelSpec, X: pd.DataFrame, y: Labels) -> float:
    """Of the answers y of rows X in random order, with a model of this spec fitted once for every block but the first.

    A block before which all answers were alike is coded by their count, with (count + 1/2) / (n + 1). Fitting takes one
    and a quarter times as long as fitting once, where it takes time in proportion to rows.
    """
    order = np.random.default_rng((spec.model_extra or {}).get("seed", 0)).permutation(len(y))
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    ends = boundaries(len(y))
    shown = {"unit": "block", "delay": PROGRESS_DELAY_SECONDS, "leave": False, "file": sys.stderr}
    with tqdm(desc=f"  prequential {spec.kind}", total=len(ends) - 1, **shown) as bar:

        def coder(first: int, last: int) -> Array:
            surprise = _surprise(spec, X, y, first, last)
            bar.update()
            return surprise

        return sum(prequential_code_length(coder, ends)) / len(y)


def _surprise(spec: ModelSpec, X: pd.DataFrame, y: Labels, first: int, last: int) -> Array:
    """The NLL in nats of rows first..last-1, shape (last - first,)."""
    if len(np.unique(y[:first])) < 2:
        p = np.full(last - first, (y[:first].sum() + 0.5) / (first + 1))
    else:
        model: Model = spec.build().fit(X.iloc[:first], y[:first])
        p = model.draws(X.iloc[first:last]).mean(0)
    nats: Array = -np.log(np.maximum(np.where(y[first:last] == 1, p, 1 - p), EPSILON))
    return nats
