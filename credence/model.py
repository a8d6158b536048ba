"""What learns. One file per kind; each answers with draws of p(yes), one row of draws per opinion."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PrivateAttr

from credence.core.errors import InputError
from credence.core.registry import StrictModel, load_kind
from credence.statistics.uncertainty import Array


class Diagnostic(StrictModel):
    """One figure that tells whether a sampler can be trusted, its bound, and whether it keeps to it."""

    name: str
    value: float
    bound: str
    kept: bool


class TrainingRecord(StrictModel):
    """All optional. A kind fills in what it has.

    passes: forward passes that one row takes. cpu_seconds: processor time of fitting. model_bits: what the weights cost
    to write down (KL / ln 2). curves: name -> one value per epoch. chains: parameter -> its draws, shape
    (chains, draws), thinned to a few hundred each.
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
    """Draws were asked of a model that has not learned yet."""


class Model(BaseModel):
    """Fields are the hyper-parameters, with their defaults and bounds; anything learned is private.

    X holds the typed inputs of `rows.inputs`: float, datetime or object columns (or the column `text`), and `group`.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=False)
    reads: ClassVar[ReadsInputs] = "columns"
    seed: int = 0
    _fitted: bool = PrivateAttr(default=False)
    _fit_seconds: float = PrivateAttr(default=0.0)
    _cpu_seconds: float = PrivateAttr(default=0.0)
    _prequential_bits: float | None = PrivateAttr(default=None)
    _root: Path | None = PrivateAttr(default=None)
    _watch: OnEpoch | None = PrivateAttr(default=None)

    def fit(self, X: pd.DataFrame, y: Labels) -> Self:
        """Learn p(yes) from rows X, shape (rows, columns), and answers y in {0, 1}."""
        require_matching_inputs(self, "text" in X)
        start, processor = time.perf_counter(), time.process_time()
        self._fit(X, y)
        self._fitted, self._fit_seconds = True, time.perf_counter() - start
        self._cpu_seconds = time.process_time() - processor
        return self

    @property
    def fit_seconds(self) -> float:
        """Wall-clock seconds that fitting took."""
        return self._fit_seconds

    @property
    def prequential_bits(self) -> float | None:
        """Bits that a training answer costs, sent block by block by models like this one, where that was measured."""
        return self._prequential_bits

    def set_prequential_bits(self, prequential_bits: float) -> None:
        """Keep the outcome of `credence.evaluation.code_length.prequential_bits` with the model."""
        self._prequential_bits = prequential_bits

    @property
    def batch_tolerance(self) -> float:
        """How far two answers to one row may lie apart because it came alone or with others."""
        return 1e-9

    def out_of_fold(self) -> Array | None:
        """Probabilities of yes for the training rows, each from a member that has not seen it; None without folds."""
        return None

    def draws(self, X: pd.DataFrame) -> Array:
        """Probabilities of yes, shape (draws, rows). A model with one opinion returns one draw."""
        if not self._fitted:
            raise NotFitted(f"{self.display_name()} has not been fitted; call fit(X, y) first.")
        return self._draws(X)

    def with_checkpoints(self, root: Path, watch: OnEpoch | None = None) -> "Model":
        """Have a kind that learns in epochs keep checkpoints in a folder of its own under `root`, from which the same
        fit goes on after a kill, and tell `watch` of each epoch: number and figures. Other kinds need neither."""
        self._root, self._watch = root, watch
        return self

    def row_diagnostics(self, X: pd.DataFrame) -> dict[str, Array]:
        """What it says of each row besides its draws, by name, shape (rows,); nothing for most kinds.

        alpha, beta: Beta pseudo-counts of a yes and a no behind the answer. ood_pvalue: share of held-out rows that lie
        no denser. order_sd, order_jsd: how far the answer hangs on the order of the parts. order_gain_yes,
        order_gain_no: the log-loss that averaging orders saves if that is the answer. k_used: passes.
        """
        return {}

    def predict_all(self, X: pd.DataFrame) -> tuple[Array, dict[str, Array]]:
        """Draws and findings, of one reading of the rows where a kind has both from that."""
        return self.draws(X), self.row_diagnostics(X)

    def training_record(self) -> TrainingRecord:
        """How learning went; what a kind has no figure for is left out."""
        return TrainingRecord(cpu_seconds=self._cpu_seconds)

    def explain(self, X: pd.DataFrame) -> pd.DataFrame | None:
        """Exact contributions of every input column to the log-odds (SHAP), or None where they are not cheap."""
        return None

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """The hyper-parameters that a search tries, asked of an Optuna trial; empty where there is nothing to tune."""
        return {}

    @classmethod
    def kind(cls) -> str:
        """The name by which YAML chooses this class: that of its file."""
        return cls.__module__.rsplit(".", 1)[-1]

    def display_name(self) -> str:
        """The name that tables show."""
        return self.kind()

    def save(self, folder: Path) -> None:
        """Write the model as JSON and weights into an existing folder; nothing in it is a pickle."""
        (folder / "model.json").write_text(json.dumps(self._description(), indent=1))
        self._save(folder)

    @staticmethod
    def load(folder: Path) -> "Model":
        """The model that `save` wrote; executes nothing from the folder."""
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
    """A text model needs the text column, a tabular one needs columns."""
    if model.reads != "both" and (model.reads == "text") != text:
        wants, got = ("text", "columns") if model.reads == "text" else ("columns", "one text column")
        raise InputError(
            f"{where}{model.kind()!r} reads {wants}, but the input is {got}; choose another kind, or set columns.text."
        )
