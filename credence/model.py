"""The contract of every model kind: hyper-parameters as fields, `fit`, `draws` of p(yes), `save` and `load`."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from credence.core.errors import InputError
from credence.core.registry import StrictModel, load_kind
from credence.statistics.uncertainty import Array


class Diagnostic(StrictModel):
    """A convergence diagnostic of a sampler: its value, its bound such as "< 1.01", and whether it is `kept`."""

    name: str
    value: float
    bound: str
    kept: bool


class TrainingRecord(StrictModel):
    """How training went. Every field is optional; a kind fills in what it measures.

    Attributes:
        passes: Forward passes per row at prediction.
        cpu_seconds: Processor time of `fit`, in seconds.
        model_bits: Code length of the weights in bits, KL / ln 2.
        curves: Name -> one value per epoch.
        diagnostics: Convergence diagnostics of a sampler.
        chains: Parameter -> draws, shape (chains, draws), thinned to a few hundred each.
        notes: Sentences for the report.
    """

    passes: int = 1
    cpu_seconds: float | None = None
    model_bits: float | None = None
    curves: dict[str, list[float]] = {}
    diagnostics: list[Diagnostic] = []
    chains: dict[str, list[list[float]]] = {}
    notes: list[str] = []


Labels = NDArray[np.int64]
ReadsInputs = Literal["columns", "text", "both"]
OnEpoch = Callable[[int, dict[str, float]], None]


class NotFitted(RuntimeError):
    """Raised when draws are requested from a model that has not been fitted."""


class Model(BaseModel):
    """Base class of all model kinds.

    Fields are the hyper-parameters, with defaults and bounds. Learned state is private. A kind implements `_fit`,
    `_draws`, `_save` and `_load`.

    Everywhere, X is the frame of `credence.data.rows.model_inputs`: float, datetime or object columns, or the column
    `text`, and `group`.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=False)
    reads: ClassVar[ReadsInputs] = "columns"
    seed: int = Field(0, description="seed of everything random")
    _fitted: bool = PrivateAttr(default=False)
    _fit_seconds: float = PrivateAttr(default=0.0)
    _cpu_seconds: float = PrivateAttr(default=0.0)
    _prequential_bits: float | None = PrivateAttr(default=None)
    _root: Path | None = PrivateAttr(default=None)
    _watch: OnEpoch | None = PrivateAttr(default=None)

    def fit(self, X: pd.DataFrame, y: Labels) -> Self:
        """Fit to training rows.

        Args:
            X: Inputs, shape (rows, columns).
            y: Labels in {0, 1}, shape (rows,).

        Returns:
            The model itself.

        Raises:
            InputError: X has columns and the kind reads text, or the reverse; or a kind finds that it cannot learn
                from these rows, for example because all labels are equal.
        """
        require_matching_inputs(self, "text" in X)
        start, processor = time.perf_counter(), time.process_time()
        self._fit(X, y)
        self._fitted, self._fit_seconds = True, time.perf_counter() - start
        self._cpu_seconds = time.process_time() - processor
        return self

    @property
    def fit_seconds(self) -> float:
        """Wall-clock seconds of `fit`."""
        return self._fit_seconds

    @property
    def prequential_bits(self) -> float | None:
        """Prequential code length in bits per training label (Voita & Titov 2020), or None if not measured."""
        return self._prequential_bits

    def set_prequential_bits(self, prequential_bits: float) -> None:
        """Store the result of `credence.evaluation.code_length.prequential_bits` with the model."""
        self._prequential_bits = prequential_bits

    @property
    def batch_tolerance(self) -> float:
        """Largest allowed difference between p(yes) of a row predicted alone and in a batch."""
        return 1e-9

    def out_of_fold(self) -> Array | None:
        """Return p(yes) of the training rows, shape (rows,), each from a model fitted on the other folds.

        Rows are in the order of `fit`. The result is None for kinds without folds and for a single fold.
        """
        return None

    def draws(self, X: pd.DataFrame) -> Array:
        """Draw p(yes) for rows X.

        Returns:
            Probabilities in [0, 1], shape (draws, rows). A point estimate is one draw.

        Raises:
            NotFitted: The model has not been fitted.
        """
        if not self._fitted:
            raise NotFitted(f"{self.display_name()} has not been fitted; call fit(X, y) first.")
        return self._draws(X)

    def with_checkpoints(self, root: Path, watch: OnEpoch | None = None) -> "Model":
        """Keep checkpoints while fitting and report every epoch. Kinds that do not train in epochs ignore both.

        Args:
            root: Folder in which the kind creates a checkpoint folder of its own. The same `fit` resumes from it.
            watch: Called after each epoch with its number and its metrics.

        Returns:
            The model itself.
        """
        self._root, self._watch = root, watch
        return self

    def row_diagnostics(self, X: pd.DataFrame) -> dict[str, Array]:
        """Return further measures of each row by name, shape (rows,) each; empty for most kinds.

        Names:
            alpha, beta: Beta pseudo-counts of yes and no behind the probability.
            ood_pvalue: Share of held-out rows whose feature density is not higher.
            order_sd, order_jsd: Spread of p(yes) over permutations; standard deviation, and Jensen-Shannon divergence
                in nats.
            order_gain_yes, order_gain_no: Log-loss in nats saved by averaging permutations, if the label is yes or no.
            k_used: Forward passes.

        Raises:
            NotFitted: The kind has such measures and has not been fitted.
        """
        return {}

    def predict_all(self, X: pd.DataFrame) -> tuple[Array, dict[str, Array]]:
        """Return `draws(X)` and `row_diagnostics(X)`, from one forward pass where the kind can."""
        return self.draws(X), self.row_diagnostics(X)

    def training_record(self) -> TrainingRecord:
        """Return costs, curves and diagnostics of the last fit."""
        return TrainingRecord(cpu_seconds=self._cpu_seconds)

    def explain(self, X: pd.DataFrame) -> pd.DataFrame | None:
        """Return exact SHAP values of the log-odds, shape (rows, input columns), or None if they are not cheap."""
        return None

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest hyper-parameters from an Optuna trial; empty if there is nothing to tune."""
        return {}

    @classmethod
    def kind(cls) -> str:
        """Return the name of this class in YAML: the stem of its file."""
        return cls.__module__.rsplit(".", 1)[-1]

    def display_name(self) -> str:
        """Return the name shown in tables."""
        return self.kind()

    def save(self, folder: Path) -> None:
        """Write the model as JSON and weights into an existing folder, without pickles."""
        (folder / "model.json").write_text(json.dumps(self._description(), indent=1))
        self._save(folder)

    @staticmethod
    def load(folder: Path) -> "Model":
        """Read a model that `save` wrote. No code from the folder is run.

        Raises:
            InputError: The kind is unknown, or a file names a type that is neither scikit-learn's nor credence's.
        """
        spec = json.loads((folder / "model.json").read_text())
        model: Model = load_kind("models", spec["kind"])(**spec["parameters"])
        model._load(folder)
        model._fitted, model._fit_seconds, model._cpu_seconds = True, spec["fit_seconds"], spec.get("cpu_seconds", 0.0)
        model._prequential_bits = spec.get("prequential_bits")
        return model

    def _description(self) -> dict[str, Any]:
        cost = {"fit_seconds": self._fit_seconds, "cpu_seconds": self._cpu_seconds}
        bits = {} if self._prequential_bits is None else {"prequential_bits": self._prequential_bits}
        return {"kind": self.kind(), **cost, **bits, "parameters": self.model_dump(mode="json")}

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        raise NotImplementedError

    def _draws(self, X: pd.DataFrame) -> Array:
        raise NotImplementedError

    def _save(self, folder: Path) -> None:
        raise NotImplementedError

    def _load(self, folder: Path) -> None:
        raise NotImplementedError


def require_matching_inputs(model: Model, text: bool, where: str = "") -> None:
    """Check that the kind can read these inputs.

    Args:
        model: The model.
        text: Whether the inputs are one text column.
        where: Prefix of the error message.

    Raises:
        InputError: A text kind gets columns, or a tabular kind gets text.
    """
    if model.reads != "both" and (model.reads == "text") != text:
        wants, got = ("text", "columns") if model.reads == "text" else ("columns", "one text column")
        raise InputError(
            f"{where}{model.kind()!r} reads {wants}, but the input is {got}; choose another kind, or set columns.text."
        )
