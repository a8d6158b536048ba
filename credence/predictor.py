"""What is judged, promoted, stored and served: a model with its calibration, its doubts and what it has seen."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from credence.core.hashing import stable_hash
from credence.core.old_names import old_attribute
from credence.core.registry import StrictModel
from credence.data.novelty.messages import low_density
from credence.data.raw_frames import rows_from_frame
from credence.data.rows import model_inputs, row_hashes
from credence.data.schema import Schema
from credence.model import Model
from credence.security.log_policy import LogPolicy
from credence.security.signing import check_integrity, seal
from credence.statistics.calibration import Calibration, ConformalSets, Scaling, fit_scaling
from credence.statistics.threshold import choose_threshold
from credence.statistics.uncertainty import Array, decompose_uncertainty, draw_interval

REFERENCE_ROWS = 1000
MIN_DENSITY_PVALUE = 0.005
SET_SIZE_REASONS = {0: "no answer fits", 2: "both answers fit"}


class PredictorInfo(StrictModel):
    """All of a predictor that is neither weights nor tables: the contents of `predictor.json`."""

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
    """Answers a task's question about rows. Evaluation, batch jobs and the HTTP service all call `predict`."""

    def __init__(self, model: Model, facts: PredictorInfo, reference: pd.DataFrame, seen: NDArray[np.uint64]) -> None:
        self.model, self.facts, self.reference, self.seen = model, facts, reference, seen

    @classmethod
    def calibrate(
        cls,
        model: Model,
        train: pd.DataFrame,
        calibration: pd.DataFrame,
        section: Calibration,
        about: dict[str, Any],
        metric: str = "accuracy",
        minimum: float = 0.0,
    ) -> Self:
        """Calibrate a fitted model on rows it has not seen.

        `about` holds the facts that the rows do not tell: task, question, answers and, where there is one, group.
        """
        about = dict(about)
        schema = Schema.learn(model_inputs(train), about.pop("group", None), train.get("key"))
        raw, y = model.draws(schema.select(calibration)), calibration["label"].to_numpy()
        scaling = fit_scaling(raw, y, section.method)
        p = scaling(raw).mean(0)
        facts = PredictorInfo(
            **about,
            version=f"{about['task']}:challenger",
            scaling=scaling,
            schema=schema,
            base_rate=float(train["label"].mean()),
            trained_rows=len(train),
            fit_seconds=model.fit_seconds,
            conformal=ConformalSets.fit(p, y, section.alpha),
            threshold=choose_threshold(p, y, metric, minimum, section.cost_ratio),
        )
        reference = model_inputs(train.sample(min(len(train), REFERENCE_ROWS), random_state=0)).reset_index(drop=True)
        return cls(model, facts, reference, seen_hashes(pd.concat([train, calibration]), schema))

    def draws(self, rows: pd.DataFrame) -> Array:
        """Calibrated probabilities of yes, shape (draws, rows)."""
        return self.facts.scaling(self.model.draws(self._known(rows)))

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """One answer per row: label, probability, interval, uncertainty in bits, set, abstain, reasons, version.

        Raises BadInput where an input column is missing or a value is of the wrong kind.
        """
        known = self._known(rows)
        raw, findings = self.model.predict_all(known)
        draws = self.facts.scaling(raw)
        p, (low, high), (total, epistemic, aleatoric) = (
            draws.mean(0),
            draw_interval(draws),
            decompose_uncertainty(draws),
        )
        sets, strange = self.facts.conformal.sets(p), self._strange(known, findings)
        reasons = [why + ([SET_SIZE_REASONS[k]] if k != 1 else []) for why, k in zip(strange, sets.sum(1), strict=True)]
        no, yes = self.facts.answers
        return pd.DataFrame(
            {
                "label": np.where(p >= self.facts.threshold, yes, no),
                "probability": p,
                "low": low,
                "high": high,
                "uncertainty": total,
                "epistemic": epistemic,
                "aleatoric": aleatoric,
                "set": [[a for a, inside in zip((no, yes), s, strict=True) if inside] for s in sets],
                "abstain": [bool(why) for why in reasons],
                "reasons": reasons,
                "version": self.facts.version,
            },
            index=rows.index,
        )

    def input_warnings(self, rows: pd.DataFrame) -> list[list[str]]:
        """Per row, what of its inputs is unlike training: the reasons of `predict` that the answer has no part in."""
        known = self._known(rows)
        return self._strange(known, self.model.row_diagnostics(known))

    def _known(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The typed inputs of canonical rows or of a raw frame."""
        return self.facts.schema_.select(rows_from_frame(rows, self.facts.schema_, self.facts.text))

    def _strange(self, known: pd.DataFrame, findings: dict[str, Array]) -> list[list[str]]:
        """By the schema, and by the model's own density where it has one: p-values below 1 in 200 are reasons."""
        found = self.facts.schema_.warnings(known, quote=not self.facts.log.hashes("text"))
        density = findings.get("ood_pvalue")
        if density is not None:
            for row in np.flatnonzero(density < MIN_DENSITY_PVALUE):
                found[row].append(low_density(float(density[row])))
        return found

    def was_trained_on(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows trained or calibrated this predictor, by id, or by content where that content was unique there."""
        schema = self.facts.schema_
        by_content = (
            np.isin(content_hashes(rows, schema), self.seen)
            if set(schema.names()) <= set(rows)
            else np.zeros(len(rows), bool)
        )
        return np.isin(id_hashes(rows), self.seen) | by_content

    def save(self, folder: Path) -> None:
        """Write facts, reference rows, `seen.npy` and the model's own files into an existing folder, and seal it."""
        unset = {"text"} if self.facts.text is None else None
        (folder / "predictor.json").write_text(self.facts.model_dump_json(by_alias=True, indent=1, exclude=unset))
        self.reference.to_parquet(folder / "reference.parquet")
        np.save(folder / "seen.npy", self.seen, allow_pickle=False)
        (folder / "model").mkdir(exist_ok=True)
        self.model.save(folder / "model")
        seal(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The predictor that `save` wrote; executes nothing from the folder. BadInput names a file that was changed."""
        check_integrity(folder)
        facts = read_info(folder)
        seen = np.load(folder / "seen.npy", allow_pickle=False)
        return cls(Model.load(folder / "model"), facts, pd.read_parquet(folder / "reference.parquet"), seen)

    def with_version(self, version: str) -> Self:
        """The same predictor under the name that its answers shall carry."""
        return type(self)(self.model, self.facts.model_copy(update={"version": version}), self.reference, self.seen)

    def digest(self) -> str:
        """A hash of what decides the answers, so that two predictors can be told apart."""
        facts = self.facts.model_dump(mode="json", exclude={"version", "fit_seconds", "log", "latency_ms", "text"})
        answers = self.draws(self.reference).round(12).tobytes()
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode() + answers).hexdigest()[:16]


def read_info(folder: Path) -> PredictorInfo:
    """What a saved predictor says of itself, without its weights."""
    return PredictorInfo(**json.loads((folder / "predictor.json").read_text()))


def id_hashes(rows: pd.DataFrame) -> NDArray[np.uint64]:
    """64 bits per row id."""
    return _bits(rows["row_id"].map(lambda i: stable_hash(f"id {i}")))


def content_hashes(rows: pd.DataFrame, schema: Schema) -> NDArray[np.uint64]:
    """64 bits per row of what it holds in the schema's columns."""
    return _bits(row_hashes(schema.select(rows)[schema.names()]))


def seen_hashes(rows: pd.DataFrame, schema: Schema) -> NDArray[np.uint64]:
    """By what rows are known again: every id, and every content that stands once (twins prove nothing)."""
    content, times = np.unique(content_hashes(rows, schema), return_counts=True)
    return np.union1d(id_hashes(rows), content[times == 1])


def _bits(hexadecimal: Any) -> NDArray[np.uint64]:
    return np.array([int(h, 16) for h in hexadecimal], dtype=np.uint64)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Names of version 0.1."""
        return old_attribute(__name__, name)
