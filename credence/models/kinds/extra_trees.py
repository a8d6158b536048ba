"""Extremely randomized trees: a forest with random split thresholds."""

from typing import Any, ClassVar

from sklearn.ensemble import ExtraTreesClassifier

from credence.models.kinds.random_forest import RandomForest


class ExtraTrees(RandomForest):
    """Extra trees (Geurts et al. 2006); parameters of `random_forest`. Every tree is fitted to all rows."""

    grown_by: ClassVar[Any] = ExtraTreesClassifier
