"""A fitted model with calibration, conformal sets, input schema and hashes of its training rows."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from credence.core.old_names import old_attribute
from credence.core.registry import StrictModel
from credence.data.novelty.messages import low_density
from credence.data.raw_frames import rows_from_frame
from credence.data.rows import model_inputs
from credence.data.schema import Schema
from credence.data.seen_rows import content_hashes, id_hashes, seen_hashes
from credence.model import Model
from credence.security.log_policy import LogPolicy
from credence.security.signing import check_integrity, seal
from credence.statistics.calibration import Calibration, ConformalSets, Scaling, fit_scaling
from credence.statistics.threshold import choose_threshold
from credence.statistics.uncertainty import Array, decompose_uncertainty, draw_interval

REFERENCE_ROWS = 1000
MIN_DENSITY_PVALUE = 0.005
SET_SIZE_REASONS = {0: "no answer fits", 2: "both answers fit"}


class TaskInfo(StrictModel):
    """What a predictor keeps of its task: the question, the answers (no, yes), the log policy and the latency bound."""

    task: str
    question: str
    answers: tuple[str, str]
    group: str | None = Field(None, description="the raw column that holds the group")
    text: str | None = Field(None, description="the name of the text column in raw tables")
    log: LogPolicy = LogPolicy()
    latency_ms: float = Field(100.0, gt=0, description="the time within which 95 % of the requests shall be answered")


class PredictorInfo(StrictModel):
    """Everything of a predictor that is neither weights nor tables: the contents of `predictor.json`."""

    version: str
    task: str
    question: str
    answers: tuple[str, str]
    base_rate: float = Field(ge=0, le=1, description="share of yes among the training rows")
    threshold: float = Field(ge=0, le=1, description="probability from which the answer is yes")
    scaling: Scaling
    conformal: ConformalSets
    schema_: Schema = Field(alias="schema")
    trained_rows: int = 0
    fit_seconds: float = 0.0
    log: LogPolicy = LogPolicy()
    latency_ms: float = Field(100.0, gt=0, description="the time within which 95 % of the requests shall be answered")
    text: str | None = Field(None, description="the name of the text column in raw tables")


class Predictor:
    """A calibrated model that answers a task's question about rows.

    Evaluation, batch jobs and the HTTP service all call `predict`.

    Attributes:
        model: The fitted model.
        info: The contents of `predictor.json`.
        reference: Up to 1,000 training rows (inputs and group), for drift tests and explanations.
        seen: Sorted 64-bit hashes of the rows that trained or calibrated the predictor, see `seen_hashes`.
    """

    def __init__(self, model: Model, info: PredictorInfo, reference: pd.DataFrame, seen: NDArray[np.uint64]) -> None:
        self.model, self.info, self.reference, self.seen = model, info, reference, seen

    @classmethod
    def calibrate(
        cls,
        model: Model,
        train: pd.DataFrame,
        calibration: pd.DataFrame,
        section: Calibration,
        about: TaskInfo,
        metric: str = "accuracy",
        minimum: float = 0.0,
    ) -> Self:
        """Calibrate a fitted model on rows that it was not trained on.

        Args:
            model: The fitted model.
            train: Canonical rows that the model was fitted on.
            calibration: Canonical rows that the model has not seen; they set scaling, conformal sets and threshold.
            section: Calibration method, alpha of the conformal sets, and cost ratio.
            about: What the rows do not tell: task, question, answers, group column, log policy, latency bound.
            metric: The gate's metric, which the threshold serves.
            minimum: The least value of the metric that the gate accepts.
        """
        schema = Schema.learn(model_inputs(train), about.group, train.get("key"))
        raw, y = model.draws(schema.select(calibration)), calibration["label"].to_numpy()
        scaling = fit_scaling(raw, y, section.method)
        p = scaling(raw).mean(0)
        info = PredictorInfo(
            task=about.task,
            question=about.question,
            answers=about.answers,
            log=about.log,
            text=about.text,
            latency_ms=about.latency_ms,
            version=f"{about.task}:challenger",
            scaling=scaling,
            schema=schema,
            base_rate=float(train["label"].mean()),
            trained_rows=len(train),
            fit_seconds=model.fit_seconds,
            conformal=ConformalSets.fit(p, y, section.alpha),
            threshold=choose_threshold(p, y, metric, minimum, section.cost_ratio),
        )
        reference = model_inputs(train.sample(min(len(train), REFERENCE_ROWS), random_state=0)).reset_index(drop=True)
        return cls(model, info, reference, seen_hashes(pd.concat([train, calibration]), schema))

    def draws(self, rows: pd.DataFrame) -> Array:
        """Calibrated probabilities of yes, shape (draws, rows), each in [0, 1]."""
        return self.info.scaling(self.model.draws(self._known(rows)))

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Answer every row.

        Returns:
            One line per row, with the index of `rows`: `label`, `probability` of yes with `low` and `high`, total,
            `epistemic` and `aleatoric` uncertainty in bits, conformal `set`, `abstain` with `reasons`, and `version`.

        Raises:
            InputError: An input column is missing, or a value has the wrong type.
        """
        known = self._known(rows)
        raw, findings = self.model.predict_all(known)
        draws = self.info.scaling(raw)
        p, (low, high), (total, epistemic, aleatoric) = (
            draws.mean(0),
            draw_interval(draws),
            decompose_uncertainty(draws),
        )
        sets, warnings = self.info.conformal.sets(p), self._input_warnings(known, findings)
        reasons = [
            why + ([SET_SIZE_REASONS[k]] if k != 1 else []) for why, k in zip(warnings, sets.sum(1), strict=True)
        ]
        no, yes = self.info.answers
        return pd.DataFrame(
            {
                "label": np.where(p >= self.info.threshold, yes, no),
                "probability": p,
                "low": low,
                "high": high,
                "uncertainty": total,
                "epistemic": epistemic,
                "aleatoric": aleatoric,
                "set": [[a for a, inside in zip((no, yes), s, strict=True) if inside] for s in sets],
                "abstain": [bool(why) for why in reasons],
                "reasons": reasons,
                "version": self.info.version,
            },
            index=rows.index,
        )

    def input_warnings(self, rows: pd.DataFrame) -> list[list[str]]:
        """Per row, how its inputs differ from training; the reasons in `predict` without those of the set size."""
        known = self._known(rows)
        return self._input_warnings(known, self.model.row_diagnostics(known))

    def _known(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The typed inputs of canonical rows or of a raw frame."""
        return self.info.schema_.select(rows_from_frame(rows, self.info.schema_, self.info.text))

    def _input_warnings(self, known: pd.DataFrame, findings: dict[str, Array]) -> list[list[str]]:
        """Warnings of the schema, and of the model's density where it has one (p-value below 1 in 200)."""
        found = self.info.schema_.warnings(known, quote=not self.info.log.hashes("text"))
        density = findings.get("ood_pvalue")
        if density is not None:
            for row in np.flatnonzero(density < MIN_DENSITY_PVALUE):
                found[row].append(low_density(float(density[row])))
        return found

    def was_trained_on(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Mark the rows that trained or calibrated this predictor, shape (rows,).

        A row is recognized by its id, or by its content where that content was unique among the training rows.
        """
        schema = self.info.schema_
        by_content = (
            np.isin(content_hashes(rows, schema), self.seen)
            if set(schema.names()) <= set(rows)
            else np.zeros(len(rows), bool)
        )
        return np.isin(id_hashes(rows), self.seen) | by_content

    def save(self, folder: Path) -> None:
        """Write all files of the predictor into an existing folder, then its manifest of hashes."""
        unset = {"text"} if self.info.text is None else None
        (folder / "predictor.json").write_text(self.info.model_dump_json(by_alias=True, indent=1, exclude=unset))
        self.reference.to_parquet(folder / "reference.parquet")
        np.save(folder / "seen.npy", self.seen, allow_pickle=False)
        (folder / "model").mkdir(exist_ok=True)
        self.model.save(folder / "model")
        seal(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load what `save` wrote; no code in the folder is executed.

        Raises:
            InputError: A file is missing or was changed after saving.
        """
        check_integrity(folder)
        info = read_info(folder)
        seen = np.load(folder / "seen.npy", allow_pickle=False)
        return cls(Model.load(folder / "model"), info, pd.read_parquet(folder / "reference.parquet"), seen)

    def with_version(self, version: str) -> Self:
        """The same predictor under another version name."""
        return type(self)(self.model, self.info.model_copy(update={"version": version}), self.reference, self.seen)

    def digest(self) -> str:
        """16 hex digits of SHA-256 over everything that decides the answers; the version does not count."""
        info = self.info.model_dump(mode="json", exclude={"version", "fit_seconds", "log", "latency_ms", "text"})
        answers = self.draws(self.reference).round(12).tobytes()
        return hashlib.sha256(json.dumps(info, sort_keys=True).encode() + answers).hexdigest()[:16]


def read_info(folder: Path) -> PredictorInfo:
    """Read the `predictor.json` of a saved predictor, without its weights."""
    return PredictorInfo(**json.loads((folder / "predictor.json").read_text()))


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Names of version 0.1."""
        return old_attribute(__name__, name)
