"""Ensembles of binary trees as LightGBM boosters: fast for single rows, exact SHAP values, stored as text."""

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
    """The nodes of one tree, shape (nodes,) each.

    Attributes:
        left: Number of the left child; -1 in leaves.
        right: Number of the right child; -1 in leaves.
        feature: Column of the split.
        threshold: A row goes left if x <= threshold.
        nan_left: Whether missing values go left.
        value: Value of the node.
        rows: Number of training rows.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: Array
    nan_left: NDArray[np.bool_]
    value: Array
    rows: Array


@dataclass
class TreeEnsemble:
    """An ensemble whose leaf values are summed.

    Attributes:
        text: The ensemble in LightGBM's text format.
        odds: Whether the sum is the log-odds; otherwise it is p(yes).
        single: Whether the trees were grown on float32 numbers; inputs are then rounded to float32.
    """

    text: str
    odds: bool
    single: bool
    _booster: Booster | None = field(default=None, init=False, repr=False, compare=False)

    def predict_proba(self, Z: Array) -> Array:
        """Return probabilities of no and yes, shape (rows, 2), for a matrix of shape (rows, width)."""
        raw = self.booster().predict(self._seen(Z), raw_score=True, num_threads=1)
        p = sigmoid(np.asarray(raw)) if self.odds else np.clip(np.asarray(raw), 0.0, 1.0)
        return np.stack([1 - p, p], axis=1)

    def contributions(self, Z: Array) -> Array | None:
        """Return exact SHAP values of the log-odds, shape (rows, width), or None if not `odds`.

        The method is TreeSHAP (Lundberg et al. 2020).
        """
        if not self.odds:
            return None
        found = self.booster().predict(self._seen(Z), pred_contrib=True, num_threads=1)
        return np.asarray(found, np.float64)[:, :-1]

    def booster(self) -> Booster:
        """Return the LightGBM booster, parsed at the first call."""
        if self._booster is None:
            self._booster = Booster(model_str=self.text)
        return self._booster

    def _seen(self, Z: Array) -> Array:
        return Z.astype(SINGLE).astype(np.float64) if self.single else Z


@dataclass
class TreeDraws(TreeEnsemble):
    """An ensemble in which every tree is a draw; leaf values are p(yes)."""

    _leaves: list[Array] = field(default_factory=list, init=False, repr=False, compare=False)

    def draws(self, Z: Array) -> Array:
        """Return probabilities of yes, shape (trees, rows)."""
        if not self._leaves:
            lines = [line.partition("=")[2] for line in self.text.splitlines() if line.startswith("leaf_value=")]
            self._leaves = [np.array(values.split(), dtype=np.float64) for values in lines]
        fallen = np.asarray(self.booster().predict(self._seen(Z), pred_leaf=True, num_threads=1), dtype=np.intp)
        return np.stack([values[leaf] for values, leaf in zip(self._leaves, fallen.T, strict=True)])


def write(trees: Iterable[TreeNodes], width: int) -> str:
    """Write trees over `width` features in LightGBM's text format, version 4."""
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
    """Return the node arrays; LightGBM numbers inner nodes from 0 upwards and leaves from -1 downwards."""
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
