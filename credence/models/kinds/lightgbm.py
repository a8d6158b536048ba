"""Gradient boosting by LightGBM with early stopping within the fold."""

from typing import Any

import lightgbm
from sklearn.model_selection import train_test_split

from credence.model import Labels
from credence.models.kinds.hist_gradient_boosting import MIN_ROUNDS, PATIENCE_ROUNDS, HistGradientBoosting
from credence.models.tabular.trees import TreeEnsemble
from credence.statistics.uncertainty import Array


class LightGBM(HistGradientBoosting):
    """LightGBM (Ke et al. 2017); parameters of `hist_gradient_boosting`, usually faster with similar results."""

    def _learn(self, Z: Array, y: Labels) -> TreeEnsemble:
        if not self._watched(y):
            return self._trees(lightgbm.train(self._parameters(), lightgbm.Dataset(Z, y), min(self.rounds, MIN_ROUNDS)))
        Z, watched, y, answers = train_test_split(Z, y, test_size=self.validation, random_state=self.seed, stratify=y)
        data = lightgbm.Dataset(Z, y, params=self._parameters())
        validation = lightgbm.Dataset(watched, answers, reference=data)
        stop = lightgbm.early_stopping(PATIENCE_ROUNDS, verbose=False)
        grown = lightgbm.train(self._parameters(), data, self.rounds, valid_sets=[validation], callbacks=[stop])
        return self._trees(grown)

    def _trees(self, grown: lightgbm.Booster) -> TreeEnsemble:
        return TreeEnsemble(grown.model_to_string(num_iteration=grown.best_iteration), odds=True, single=False)

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.min_leaf,
            "lambda_l2": self.l2,
            "feature_fraction_bynode": self.columns,
            "seed": self.seed,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
