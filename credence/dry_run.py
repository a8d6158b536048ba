"""Describe what a training run would do, without training anything."""

import pandas as pd

from credence.data.checks import Findings, check_rows
from credence.data.rows import model_inputs, original_name
from credence.data.schema import column_kind
from credence.data.shift_sets import SET_COLUMN, to_shift_rows
from credence.data.split import PARTS, assign_parts
from credence.evaluation.gate import detectable
from credence.reporting.number_format import format_percent, plural
from credence.task import Task

ASSUMED_DISAGREEMENT = 0.06
SHOWN = 12


def read_rows(task: Task, sample_size: int | None = None) -> pd.DataFrame:
    """The task's canonical rows, as the pipeline reads them; a random sample of `sample_size` if given."""
    return task.rows(sample_size=sample_size)


def preflight_checks(task: Task, sample_size: int | None = None) -> None:
    """Check the rows before anything is started or written.

    Raises:
        InputError: The rows cannot be read, split or learned from.
    """
    rows = read_rows(task, sample_size)
    assign_parts(rows, task.split)
    load_shift_sets(task, rows)


def load_shift_sets(task: Task, rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The canonical rows of each set under `shift`; sets that only a pipeline can read are left out.

    Args:
        task: The task with its `shift` section.
        rows: The task's own canonical rows.
    """
    readable = {name: s for name, s in task.shift.items() if s.source.kind != "artifact"}
    return [
        to_shift_rows(name, s.read(name), task.columns, task.split.split_columns(), rows)
        for name, s in readable.items()
    ]


def dry_run(task: Task, rows: pd.DataFrame) -> str:
    """The task as understood, in lines of text.

    The lines name the question, rows, inputs, parts, candidates, shift sets, the smallest difference that the gate
    detects, and what the checks found.
    """
    part = assign_parts(rows, task.split)
    tested = int((part == "test").sum())
    lines = [
        f"{task.question}  ({' / '.join(task.answers)})",
        f"{plural(len(rows), 'row')}, {format_percent(float(rows['label'].mean()))} {task.answers[1]}",
        *_inputs(rows),
        *_parts(rows["label"], part),
        f"candidates: {', '.join(model.kind for model in task.models)}",
        *map(_shift, load_shift_sets(task, rows)),
        _gate(task, tested),
        *_findings(check_rows(rows, part, task.checks)),
    ]
    return "\n".join(lines)


def _inputs(rows: pd.DataFrame) -> list[str]:
    given = model_inputs(rows).drop(columns="group")
    kinds: dict[str, list[str]] = {}
    for name in given:
        kinds.setdefault(column_kind(str(name), given[name]), []).append(original_name(str(name)))
    groups = rows["group"].nunique()
    lines = [f"inputs, {kind}: {_listed(names)}" for kind, names in kinds.items()]
    return [*lines, f"groups: {groups}"] if groups > 1 else lines


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _parts(label: pd.Series, part: pd.Series) -> list[str]:
    held = {name: label[part == name] for name in PARTS}
    return [f"{name}: {plural(len(y), 'row')}, {format_percent(float(y.mean()))} yes" for name, y in held.items()]


def _shift(rows: pd.DataFrame) -> str:
    known = int(rows["label"].notna().sum())
    return f"shift {rows[SET_COLUMN].iloc[0]}: {plural(len(rows), 'row')}, {known:,} of them labelled"


def _gate(task: Task, tested: int) -> str:
    least = detectable(tested, ASSUMED_DISAGREEMENT, task.gate.confidence)
    minimum = "" if task.gate.minimum is None else f", minimum {task.gate.minimum:g}"
    return (
        f"gate: {task.gate.metric}{minimum}; with {plural(tested, 'test row')}, of which 6 % are answered differently, "
        f"a difference under {100 * least:.1f} points of accuracy would usually go unnoticed"
    )


def _findings(found: Findings) -> list[str]:
    gaps = {name: share for name, share in found.missing.items() if share > 0}
    worst = sorted(gaps, key=lambda name: -gaps[name])[:SHOWN]
    missing = (
        [f"missing: {', '.join(f'{original_name(name)} {format_percent(gaps[name])}' for name in worst)}"]
        if worst
        else []
    )
    return [*missing, *(f"{f.level}: {f.message}" for f in found.findings)]
