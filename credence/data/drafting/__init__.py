"""Draft a task for a table: infer every choice, and list the choices as comments in the YAML."""

import re
import unicodedata
from argparse import Namespace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import stable_hash
from credence.core.registry import SourceSpec, StrictModel
from credence.core.yaml_loader import load_yaml
from credence.data.drafting.column_roles import ColumnRoles, infer_column_roles
from credence.data.drafting.label_values import LabelValues, infer_label_values

TABULAR_KINDS = ("logistic", "random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "voting", "stacking")
FAST_TABULAR_KINDS = ("logistic", "hist_gradient_boosting", "lightgbm")
MANY_ROWS = 30_000  # rows from which only the fast kinds are drafted
TEXT_KINDS = ("tfidf",)
RARE_SHARE = 0.2  # share of the rarer answer below which the gate uses balanced accuracy
MIN_ID_SHARE = 0.5  # distinct values per row that an id column needs
FILE_KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
TASKS_FOLDER = Path("tasks")
SCHEMA_LINE = "# yaml-language-server: $schema=schema.json\n"


class Draft(StrictModel):
    """The content of a task for YAML, and one note per choice."""

    name: str
    content: dict[str, Any]
    notes: list[str]

    def write(self, path: Path) -> None:
        """Write the task as YAML, with the notes as comments above it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text(SCHEMA_LINE if (path.parent / "schema.json").is_file() else ""), encoding="utf-8")

    def text(self, schema_line: str = "") -> str:
        """Return the YAML with its notes; `schema_line` tells editors which schema checks it."""
        notes = "".join(f"# - {' '.join(note.split())}\n" for note in self.notes)
        body = yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
        return _with_checksum(f"{schema_line}{notes}\n{body}")


def _with_checksum(text: str) -> str:
    """Prepend a line with the text's hash, which shows whether the draft was edited."""
    return f"# Drafted ({stable_hash(text)}); change what is wrong, docs/reference/tasks.md explains every key.\n{text}"


def draft_path(name: str, source: dict[str, Any]) -> Path:
    """Return the file for a draft: tasks/NAME.yaml, or tasks/NAME_2.yaml if another table has that name.

    An unedited draft for the same source may be replaced.

    Raises:
        InputError: The draft for this source was edited.
    """
    paths = (TASKS_FOLDER / f"{name}{f'_{number}' if number > 1 else ''}.yaml" for number in count(1))
    path = next(p for p in paths if not p.exists() or load_yaml(p).get("source") == source)
    if path.exists() and not _is_unedited(path):
        raise InputError(
            f"{path} was drafted for this table and then changed; run it with --task {path}, or remove it."
        )
    return path


def _is_unedited(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return text == _with_checksum(text.partition("\n")[2])


def draft_task(
    raw: pd.DataFrame,
    name: str,
    source: dict[str, Any],
    label: str,
    positive: str | None = None,
    text: str | None = None,
    row_id: str | None = None,
    group: str | None = None,
) -> Draft:
    """Draft the task that predicts the column `label` of a raw table.

    Args:
        raw: The table as the source gives it.
        name: Name of the task.
        source: The YAML section `source`.
        label: The label's column: its name, "last", or its number from 1.
        positive: The values that mean yes, separated by commas; inferred from two values by default.
        text: The text column; inferred by default.
        row_id: The column of row ids.
        group: The column of groups.

    Raises:
        InputError: A column does not exist, the label's values are ambiguous, or no input is left.
    """
    label = _label_column(raw, label)
    for flag, column in {"--text": text, "--id": row_id, "--group": group}.items():
        _refuse_absent(raw, flag, column, label)
    _refuse_repeating(raw, row_id)
    answers = infer_label_values(raw[label], positive)
    roles = infer_column_roles(raw, label, {c for c in (row_id, group) if c}, text)
    if not (roles.text or roles.inputs or group):
        why = "; ".join(roles.notes) or "the table has no other"
        raise InputError(
            f"no column but the label is left to learn from ({why}); where one is text, say --text COLUMN."
        )
    content = {
        "question": answers.question,
        "answers": list(answers.words),
        "source": source,
        "columns": _columns(label, answers, roles, row_id, group),
        **({"split": {"column": roles.split}} if roles.split else {}),
        "models": [{"kind": kind} for kind in _candidates(roles, len(raw))],
        "gate": {"metric": "balanced_accuracy" if _rarer(answers) < RARE_SHARE else "accuracy"},
    }
    notes = [*answers.notes, *roles.notes, *_gate_note(answers), *_candidates_note(roles, len(raw))]
    return Draft(name=name, content=content, notes=notes)


def draft_from_cli(args: Namespace) -> tuple[Path, list[str]]:
    """Draft the task for --data and write it.

    Args:
        args: The parsed command line, with data, label, positive, text, id and group.

    Returns:
        The file that was written, and the notes.

    Raises:
        InputError: The data cannot be read, the task cannot be inferred, or an edited draft exists.
    """
    data = Path(args.data)
    source = {"kind": _kind(data), "path": args.data}
    made = draft_task(
        SourceSpec(**source).build().read(),
        task_name(data),
        source,
        args.label,
        args.positive,
        args.text,
        args.id,
        args.group,
    )
    path = draft_path(made.name, source)
    made.write(path)
    return path, [*made.notes, f"wrote {path}"]


def task_name(data: Path) -> str:
    """Turn a file's name into a task's name: at most 60 of a-z, 0-9 and _."""
    stem = unicodedata.normalize("NFKD", data.name.split(".")[0] or data.name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:60].strip("_") or "task"


def source_from_path(data: Path) -> SourceSpec:
    """Return the source for a file or folder, by its suffix; csv is the default."""
    return SourceSpec(kind=_kind(data), path=str(data))


def _kind(data: Path) -> str:
    if data.is_dir():
        return "parquet" if any(data.rglob("*.parquet")) else "folder"
    return FILE_KINDS.get(next((s.lower() for s in reversed(data.suffixes) if s.lower() != ".gz"), ""), "csv")


def _label_column(raw: pd.DataFrame, label: str) -> str:
    """Find the label's column by name, as `last`, or by its number from 1."""
    names = list(map(str, raw.columns))
    if label in names:
        return label
    if label == "last":
        return names[-1]
    if label.isdecimal() and 1 <= int(label) <= len(names):
        return names[int(label) - 1]
    raise InputError(f"--label {label}: no such column. {did_you_mean(label, names)}")


def _refuse_absent(raw: pd.DataFrame, flag: str, column: str | None, label: str) -> None:
    names = list(map(str, raw.columns))
    if column is not None and column not in names:
        raise InputError(f"{flag} {column}: no such column. {did_you_mean(column, names)}")
    if column == label:
        raise InputError(f"{flag} {column}: that is the label; name another column.")


def _refuse_repeating(raw: pd.DataFrame, row_id: str | None) -> None:
    if row_id is not None and (distinct := raw[row_id].nunique()) < MIN_ID_SHARE * len(raw):
        raise InputError(
            f"--id {row_id}: holds {distinct:,} different values in {len(raw):,} rows, expected one per row; "
            f"leave out --id, and keep rows of one {row_id} together with --set split.key={row_id}."
        )


def _columns(
    label: str, answers: LabelValues, roles: ColumnRoles, row_id: str | None, group: str | None
) -> dict[str, Any]:
    given = {
        "label": label,
        "positive": answers.positive,
        "negative": answers.negative,
        "text": roles.text,
        "group": group,
        "row_id": row_id,
        "ignore": roles.ignore or None,
        "unlabelled": "drop" if answers.gaps else None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _candidates(roles: ColumnRoles, n: int) -> tuple[str, ...]:
    return TEXT_KINDS if roles.text else FAST_TABULAR_KINDS if n > MANY_ROWS else TABULAR_KINDS


def _candidates_note(roles: ColumnRoles, n: int) -> list[str]:
    slow = [kind for kind in TABULAR_KINDS if kind not in _candidates(roles, n)]
    if roles.text or not slow:
        return []
    return [f"{', '.join(slow)} are left out, since they are slow on {n:,} rows; add them under models"]


def _rarer(answers: LabelValues) -> float:
    return min(answers.share, 1 - answers.share)


def _gate_note(answers: LabelValues) -> list[str]:
    if _rarer(answers) >= RARE_SHARE:
        return []
    return [f"judged by balanced accuracy, since the rarer answer is only {_rarer(answers):.1%} of the rows"]
