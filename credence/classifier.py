"""A calibrated binary classifier for scikit-learn's pipelines, cross-validation and searches."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from credence.core.registry import ModelSpec
from credence.data.rows import Columns, to_canonical_rows
from credence.data.sources._frame import plain_table
from credence.data.split import stratified_calibration_rows
from credence.experiment import fit_contenders, select_challenger
from credence.predictor import TaskInfo
from credence.reporting.number_format import plural
from credence.statistics.calibration import Calibration
from credence.statistics.uncertainty import Array

LABEL = "__label__"
DEFAULT_KIND = {False: "logistic", True: "tfidf"}
MAX_SEED = 2**31 - 1


class CredenceClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits candidates on part of the rows, calibrates them on the rest and keeps the one with the lowest log-loss.

    X is an array or a DataFrame of shape (rows, columns): numbers, categories, dates and missing values; infinite
    numbers are refused. y holds two different labels of any type; the positive class is `classes_[1]`.

    Args:
        models: Candidates: one kind, or several kinds or dictionaries such as {"kind": "lightgbm", "folds": 3}.
            Default: logistic, or tfidf where `text` is given.
        text: The column of a DataFrame to read, where the input is text; all other columns are left out.
        calibration: The share of each class's rows, by a hash of their content, that calibrates instead of trains.
        alpha: The share of rows whose conformal set may miss the truth.
        random_state: The seed of every candidate; 0 by default, so that equal rows give equal models.

    Attributes:
        predictor_: The chosen candidate; `predictor_.predict(df)` answers with intervals, sets and reasons to abstain.
        losses_: The calibrated log-loss of every candidate, in nats per row, in the order of `models`.
        classes_: The two labels, sorted.
        n_features_in_: The number of columns of X.
        feature_names_in_: The columns of X; only where X has text column names.
    """

    def __init__(
        self,
        models: str | Iterable[str | Mapping[str, Any] | ModelSpec] | None = None,
        *,
        text: str | None = None,
        calibration: float = 0.2,
        alpha: float = 0.1,
        random_state: Any = 0,
    ) -> None:
        self.models, self.text = models, text
        self.calibration, self.alpha, self.random_state = calibration, alpha, random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from rows X, shape (rows, columns), and their labels y, shape (rows,).

        Raises ValueError (InputError among them) for rows or labels that cannot be learned from.
        """
        encoded, table = self._encoded(y), self._table(X, reset=True)  # checking y forgets the names of X
        check_consistent_length(table, encoded)
        columns = Columns(label=LABEL, positive=1, text=self.text)
        rows = to_canonical_rows(table.assign(**{LABEL: encoded}), columns)
        held = stratified_calibration_rows(rows, self.calibration)
        train, calibration = (rows[part].reset_index(drop=True) for part in (~held, held))
        found = fit_contenders(self._specs(), train, calibration, Calibration(alpha=self.alpha), self._task_info())
        self.losses_ = select_challenger(found, train, calibration)
        self.predictor_ = found[int(np.argmin(self.losses_))]
        return self

    def predict_proba(self, X: Any) -> Array:
        """Calibrated probabilities, shape (rows, 2), in the order of `classes_`."""
        check_is_fitted(self, "predictor_")
        p = self.predictor_.draws(self._table(X, reset=False)).mean(0)
        return np.column_stack([1 - p, p])

    def predict(self, X: Any) -> NDArray[Any]:
        """The likelier label of every row, shape (rows,)."""
        likelier = np.argmax(self.predict_proba(X), axis=1)
        labels: NDArray[Any] = self.classes_[likelier]
        return labels

    def _table(self, X: Any, reset: bool) -> pd.DataFrame:
        """X as a plain table with text column names; numbers of an array get the names x0, x1 and so on."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, skip_check_array=True, reset=reset)
            return plain_table(X)
        cells = validate_data(self, X, dtype=None, ensure_all_finite=False, reset=reset)
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(cells.shape[1])])
        return plain_table(pd.DataFrame(cells, columns=list(names)))

    def _encoded(self, y: Any) -> NDArray[np.int64]:
        """y as 0 and 1; sets `classes_`."""
        labels = validate_data(self, y=y)
        check_classification_targets(labels)
        kind, (classes, encoded) = type_of_target(labels, input_name="y"), np.unique(labels, return_inverse=True)
        if len(classes) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if len(classes) < 2:
            shown = ", ".join(map(repr, classes.tolist())) or "no rows"
            raise ValueError(
                f"y holds {plural(len(classes), 'class', 'classes')} ({shown}); it needs rows of 2 classes."
            )
        self.classes_: NDArray[Any] = classes
        return np.asarray(encoded, dtype=np.int64)

    def _specs(self) -> list[ModelSpec]:
        given = DEFAULT_KIND[self.text is not None] if self.models is None else self.models
        listed = [given] if isinstance(given, (str, Mapping, ModelSpec)) else list(given)
        state = self.random_state
        seed = int(state) if isinstance(state, (int, np.integer)) else check_random_state(state).randint(MAX_SEED)
        return [ModelSpec.of({"seed": seed, **ModelSpec.of(spec).model_dump()}) for spec in listed]

    def _task_info(self) -> TaskInfo:
        no, yes = map(str, self.classes_)
        return TaskInfo(task="classifier", question=f"Is it {yes}?", answers=(no, yes), text=self.text)
