"""Any ensemble of binary trees as a LightGBM booster: one row in microseconds, exact SHAP, stored as readable text."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lightgbm import Booster
from numpy.typing import NDArray

from credence.statistics.uncertainty import Array, sigmoid

NAN_GOES_RIGHT, NAN_GOES_LEFT = 8, 10
SINGLE = np.float32


@dataclass
class TreeNodes:
    """One tree: per node its children (-1 in leaves), split (left where x <= threshold), value and training rows."""

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: Array
    nan_left: NDArray[np.bool_]
    value: Array
    rows: Array


@dataclass
class TreeEnsemble:
    """An ensemble in LightGBM's text format, whose leaves add up to log-odds, or to a probability where not `odds`.

    `single` marks ensembles that were grown on float32 numbers and must be asked with such.
    """

    text: str
    odds: bool
    single: bool
    _booster: Booster | None = field(default=None, init=False, repr=False, compare=False)

    def predict_proba(self, Z: Array) -> Array:
        """Shape (rows, 2), the columns being no and yes."""
        raw = self.booster().predict(self._seen(Z), raw_score=True, num_threads=1)
        p = sigmoid(np.asarray(raw)) if self.odds else np.clip(np.asarray(raw), 0.0, 1.0)
        return np.stack([1 - p, p], axis=1)

    def contributions(self, Z: Array) -> Array | None:
        """Exact SHAP values of the log-odds, shape (rows, width) (Lundberg et al. 2020); None for probabilities."""
        if not self.odds:
            return None
        found = self.booster().predict(self._seen(Z), pred_contrib=True, num_threads=1)
        return np.asarray(found, np.float64)[:, :-1]

    def booster(self) -> Booster:
        """The parsed ensemble; parsed once."""
        if self._booster is None:
            self._booster = Booster(model_str=self.text)
        return self._booster

    def _seen(self, Z: Array) -> Array:
        return Z.astype(SINGLE).astype(np.float64) if self.single else Z


@dataclass
class TreeDraws(TreeEnsemble):
    """The same, where every tree is an opinion of its own."""

    _leaves: list[Array] = field(default_factory=list, init=False, repr=False, compare=False)

    def draws(self, Z: Array) -> Array:
        """Probabilities of yes, shape (trees, rows)."""
        if not self._leaves:
            lines = [line.partition("=")[2] for line in self.text.splitlines() if line.startswith("leaf_value=")]
            self._leaves = [np.array(values.split(), dtype=np.float64) for values in lines]
        fallen = np.asarray(self.booster().predict(self._seen(Z), pred_leaf=True, num_threads=1), dtype=np.intp)
        return np.stack([values[leaf] for values, leaf in zip(self._leaves, fallen.T, strict=True)])


def write(trees: Iterable[TreeNodes], width: int) -> str:
    """LightGBM's text format, version 4, of trees over so many features."""
    blocks = "".join(_block(i, tree) for i, tree in enumerate(trees))
    names, unknown = " ".join(f"f{i}" for i in range(width)), " ".join(["none"] * width)
    head = f"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={width - 1}\n"
    return f"{head}feature_names={names}\nfeature_infos={unknown}\n\n{blocks}end of trees\n"


def _block(number: int, t: TreeNodes) -> str:
    inner, leaf = np.flatnonzero(t.left >= 0), np.flatnonzero(t.left < 0)
    lines: dict[str, Any] = {"num_leaves": [len(leaf)], "num_cat": [0]}
    lines |= _splits(t, inner, leaf) if len(inner) else {"leaf_value": t.value[leaf]}
    body = "".join(f"{key}={' '.join(map(repr, np.asarray(v).tolist()))}\n" for key, v in lines.items())
    return f"Tree={number}\n{body}is_linear=0\nshrinkage=1\n\n\n"


def _splits(t: TreeNodes, inner: NDArray[np.intp], leaf: NDArray[np.intp]) -> dict[str, Any]:
    """LightGBM numbers inner nodes from 0 upwards and leaves from -1 downwards."""
    place = np.empty(len(t.left), dtype=np.intp)
    place[inner], place[leaf] = np.arange(len(inner)), -1 - np.arange(len(leaf))
    return {
        "split_feature": t.feature[inner],
        "split_gain": np.zeros(len(inner), int),
        "threshold": t.threshold[inner],
        "decision_type": np.where(t.nan_left[inner], NAN_GOES_LEFT, NAN_GOES_RIGHT),
        "left_child": place[t.left[inner]],
        "right_child": place[t.right[inner]],
        "leaf_value": t.value[leaf],
        "leaf_weight": t.rows[leaf],
        "leaf_count": t.rows[leaf].astype(int),
        "internal_value": t.value[inner],
        "internal_weight": t.rows[inner],
        "internal_count": t.rows[inner].astype(int),
    }
