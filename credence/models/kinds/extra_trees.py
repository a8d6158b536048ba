"""Extra trees: a forest whose cuts are drawn at random, smoother and faster than the best cuts (Geurts et al. 2006)."""

from typing import Any, ClassVar

from sklearn.ensemble import ExtraTreesClassifier

from credence.models.kinds.random_forest import RandomForest


class ExtraTrees(RandomForest):
    """The parameters of `random_forest`; every tree sees all rows."""

    grown_by: ClassVar[Any] = ExtraTreesClassifier
