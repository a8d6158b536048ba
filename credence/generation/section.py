"""The section `generation` of a task: which rows to write, by which providers, with what checks and budget."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from credence.core.canonical_json import canonical_json
from credence.core.errors import InputError, did_you_mean
from credence.core.registry import StrictModel
from credence.generation.arithmetic import CATEGORIES
from credence.generation.arithmetic.normalization import SCHEMA_VERSION
from credence.generation.ledger.sql_export import SqlSink
from credence.generation.llm.provider import ProviderSpec
from credence.generation.llm.work_item import RESAMPLE
from credence.generation.seed_examples import SeedExample, read_seed_examples

Quotas = dict[str, dict[str, int]]
TRUTHS = ("no", "yes")
EXAMPLES = "examples"
# A rater replies "unclear" if a text cannot be labelled. Labels of at most 40 characters fit into its short reply.
UNCLEAR, MAX_LABEL_LENGTH = "unclear", 40
# The parameters that change the answers; limits and time-outs do not.
IDENTITY = ("kind", "name", "model", "base_url", "seed")


class Generation(StrictModel):
    """Arithmetic statements whose truth is computed, or, with a `topic`, examples that several models agree on."""

    providers: list[ProviderSpec] = Field(min_length=1, description="the language models that write")
    rows: int | None = Field(None, ge=1, description="how many rows; 1,000 without quotas")
    quotas: dict[str, int | dict[str, int]] = Field({}, description="rows of each category, or of each and label")
    topic: str | None = Field(None, min_length=1, description="what the examples are about; none: arithmetic")
    labels: dict[str, str] = Field({}, description="the two labels of a topic and what each means")
    seeds: Path | None = Field(None, description="a file of example texts, or a table of them")
    agreement: int = Field(2, ge=2, le=5, description="how many different models must give the same label")
    seed: int = Field(0, ge=0, lt=RESAMPLE, description="other rows of the same kind")
    items_per_call: int = Field(20, ge=1, le=100, description="items that share one call")
    budget_usd: float | None = Field(10, ge=0, allow_inf_nan=False, description="dollars over all runs; null: no limit")
    patience_minutes: float = Field(15, gt=0, allow_inf_nan=False, description="stop after so long without a reply")
    complete: float = Field(0.99, gt=0, le=1, description="the least share of every quota; below it no rows are stored")
    export: Path | None = Field(None, description="a .jsonl file to write too")
    sink: SqlSink | None = Field(None, description="a database to write to too")

    @field_validator("labels", "quotas", mode="before")
    @classmethod
    def _names_are_words(cls, given: Any) -> Any:
        """Reject names that YAML reads as booleans or numbers."""
        mappings = [given, *given.values()] if isinstance(given, dict) else []
        for name in (name for mapping in mappings if isinstance(mapping, dict) for name in mapping):
            if not isinstance(name, str):
                raise InputError(f"{name} is read as no word; write it in quotes.")
        return given

    @field_validator("quotas", mode="before")
    @classmethod
    def _quotas_are_whole(cls, quotas: Any) -> Any:
        """Raise one sentence; pydantic would report one error for the integer and another for the mapping."""
        for name, rows in quotas.items() if isinstance(quotas, dict) else ():
            cells = {f"{name}.{label}": n for label, n in rows.items()} if isinstance(rows, dict) else {name: rows}
            for where, n in cells.items():
                if isinstance(n, bool) or not isinstance(n, int):
                    raise InputError(f"{where}: expected how many rows, a whole number, not {str(n)[:80]!r}.")
        return quotas

    @field_validator("export")
    @classmethod
    def _export_is_json_lines(cls, path: Path | None) -> Path | None:
        if path and path.suffix != ".jsonl":
            raise InputError(f"{path}: expected the name of a .jsonl file; the rows are stored as Parquet anyway.")
        return path

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        own = ("labels", "seeds", "agreement")
        if self.topic is None and (odd := [k for k in own if getattr(self, k) != type(self).model_fields[k].default]):
            raise InputError(f"{odd[0]} belongs to a topic of your own; add topic, or remove {odd[0]}.")
        if self.topic is not None and len(self.labels) < 2:
            raise InputError("labels: a topic needs two labels or more, each with its meaning: {spam: …, ham: …}.")
        if self.topic is not None and not self.topic.strip():
            raise InputError("topic: expected what the texts are about, in words, not blanks.")
        for label, meaning in self.labels.items():
            _refuse_label(label, meaning)
        canonical_json({"labels": self.labels})  # raises if a label cannot be JSON-encoded
        self.wanted()
        return self

    @property
    def writer(self) -> Literal["statements", "examples"]:
        """Return what is written: statements, or examples if there is a topic."""
        return "statements" if self.topic is None else "examples"

    def wanted(self) -> Quotas:
        """Return the number of rows for each category and label.

        Raises:
            InputError: `rows` and `quotas` contradict each other, or a label would get no row.
        """
        quotas = self._given_quotas() if self.quotas else self._even_quotas(self.rows or 1000)
        for category, cells in quotas.items():
            for label, rows in cells.items():
                if rows < 1:
                    place = label if self.topic else f"{category}.{label}"
                    raise InputError(f"quotas: {place} would have {rows} rows; expected 1 or more of every label.")
        total = sum(sum(cells.values()) for cells in quotas.values())
        if self.rows is not None and total != self.rows:
            raise InputError(f"rows says {self.rows} and quotas add up to {total}; remove rows, or mend the quotas.")
        return quotas

    def written_by_hand(self) -> list[SeedExample]:
        """Read the texts that show the style; none without `seeds`.

        Raises:
            InputError: The file cannot be used.
        """
        return read_seed_examples(self.seeds, self.labels) if self.seeds else []

    def spec(self, templates: list[str]) -> dict[str, Any]:
        """Return the specification that identifies the data set; a run with an equal one continues its ledger.

        Args:
            templates: Name, version and digest of the prompts.
        """
        about = {"topic": self.topic, "labels": self.labels, "agreement": self.agreement, "seeds": self._seeds()}
        return {
            "writer": self.writer,
            "quotas": self.wanted(),
            "templates": templates,
            "seed": self.seed,
            "providers": [_identity(p) for p in self.providers],
            "schema_version": SCHEMA_VERSION,
            **(about if self.topic else {}),
        }

    def _seeds(self) -> list[list[str | None]]:
        return [[seed.text, seed.label] for seed in self.written_by_hand()]

    def _labels(self) -> tuple[str, ...]:
        return tuple(self.labels) if self.topic else TRUTHS

    def _even_quotas(self, rows: int) -> Quotas:
        """Divide rows evenly among categories and labels; the first ones get the remainder."""
        categories = [EXAMPLES] if self.topic else list(CATEGORIES)
        cells = [(c, label) for label in self._labels() for c in categories]
        if rows < len(cells):
            raise InputError(f"rows is {rows}, fewer than one for each of the {len(cells)} categories and labels.")
        quotas: Quotas = {c: {} for c in categories}
        for i, (category, label) in enumerate(cells):
            quotas[category][label] = rows // len(cells) + (i < rows % len(cells))
        return quotas

    def _given_quotas(self) -> Quotas:
        if self.topic is not None:
            cells = {label: _require_count(label, rows) for label, rows in self.quotas.items()}
            return {EXAMPLES: self._in_label_order(cells)}
        for category in self.quotas:
            if category not in CATEGORIES:
                raise InputError(f"quotas: no category {category!r}. {did_you_mean(category, CATEGORIES)}")
        halves = {c: {"no": n // 2, "yes": n - n // 2} if isinstance(n, int) else n for c, n in self.quotas.items()}
        return {category: self._in_label_order(cells) for category, cells in halves.items()}

    def _in_label_order(self, cells: dict[str, int]) -> dict[str, int]:
        labels = self._labels()
        for label in cells:
            if label not in labels:
                raise InputError(f"quotas: no label {label!r}. {did_you_mean(label, labels)}")
        return {label: cells.get(label, 0) for label in labels}


def _require_count(label: str, rows: int | dict[str, int]) -> int:
    if isinstance(rows, dict):
        raise InputError(f"quotas.{label}: expected how many rows of this label, a whole number.")
    return rows


def _refuse_label(label: str, meaning: str) -> None:
    if not (label.strip() and meaning.strip()):
        raise InputError(f"labels.{label}: expected what the label means, in words.")
    if label == UNCLEAR:
        raise InputError(f"labels.{label}: this word is kept for texts that nobody can label; choose another.")
    if len(label) > MAX_LABEL_LENGTH:
        raise InputError(
            f"labels.{label}: {len(label)} characters were given, expected {MAX_LABEL_LENGTH} at most; "
            "shorten the label, and say the rest in its meaning."
        )


def _identity(provider: ProviderSpec) -> dict[str, Any]:
    given = provider.model_dump(mode="json")
    return {k: given[k] if isinstance(given[k], str | int) else json.dumps(given[k]) for k in IDENTITY if k in given}
