"""What a run would do, said before anything is trained."""

import pandas as pd

from credence.data.checks import Findings, examine
from credence.data.rows import canonical, inputs, raw_name, sample
from credence.data.schema import kind_of
from credence.data.shift_sets import SET, shifted
from credence.data.split import PARTS, assign
from credence.evaluation.gate import detectable
from credence.reporting.number_format import percent, plural
from credence.task import Task

DISPUTED = 0.06
SHOWN = 12


def read(task: Task, sample_size: int | None = None) -> pd.DataFrame:
    """The task's rows, as the pipeline will see them."""
    return sample(canonical(task.source.build().read(), task.columns, task.split.helpers()), sample_size)


def preflight(task: Task, sample_size: int | None = None) -> None:
    """Raise BadInput for rows that cannot be learned from, before anything is started or written."""
    rows = read(task, sample_size)
    assign(rows, task.split)
    elsewhere(task, rows)


def elsewhere(task: Task, rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The sets under `shift`, but those that only a pipeline can read; `rows` are the task's own."""
    readable = {name: s for name, s in task.shift.items() if s.source.kind != "artifact"}
    return [shifted(name, s.read(name), task.columns, task.split.helpers(), rows) for name, s in readable.items()]


def plan(task: Task, rows: pd.DataFrame) -> str:
    """The task as understood: question, rows, inputs, parts, candidates, findings, and what the gate could see."""
    part = assign(rows, task.split)
    tested = int((part == "test").sum())
    lines = [
        f"{task.question}  ({' / '.join(task.answers)})",
        f"{plural(len(rows), 'row')}, {percent(float(rows['label'].mean()))} {task.answers[1]}",
        *_inputs(rows),
        *_parts(rows["label"], part),
        f"candidates: {', '.join(model.kind for model in task.models)}",
        *map(_shift, elsewhere(task, rows)),
        _gate(task, tested),
        *_findings(examine(rows, part, task.checks)),
    ]
    return "\n".join(lines)


def _inputs(rows: pd.DataFrame) -> list[str]:
    given = inputs(rows).drop(columns="group")
    kinds: dict[str, list[str]] = {}
    for name in given:
        kinds.setdefault(kind_of(str(name), given[name]), []).append(raw_name(str(name)))
    groups = rows["group"].nunique()
    lines = [f"inputs, {kind}: {_listed(names)}" for kind, names in kinds.items()]
    return [*lines, f"groups: {groups}"] if groups > 1 else lines


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _parts(label: pd.Series, part: pd.Series) -> list[str]:
    held = {name: label[part == name] for name in PARTS}
    return [f"{name}: {plural(len(y), 'row')}, {percent(float(y.mean()))} yes" for name, y in held.items()]


def _shift(rows: pd.DataFrame) -> str:
    known = int(rows["label"].notna().sum())
    return f"shift {rows[SET].iloc[0]}: {plural(len(rows), 'row')}, {known:,} of them labelled"


def _gate(task: Task, tested: int) -> str:
    least = detectable(tested, DISPUTED, task.gate.confidence)
    minimum = "" if task.gate.minimum is None else f", minimum {task.gate.minimum:g}"
    return (
        f"gate: {task.gate.metric}{minimum}; with {plural(tested, 'test row')}, of which 6 % are answered differently, "
        f"a difference under {100 * least:.1f} points of accuracy would usually go unnoticed"
    )


def _findings(found: Findings) -> list[str]:
    gaps = {name: share for name, share in found.missing.items() if share > 0}
    worst = sorted(gaps, key=lambda name: -gaps[name])[:SHOWN]
    missing = [f"missing: {', '.join(f'{raw_name(name)} {percent(gaps[name])}' for name in worst)}"] if worst else []
    return [*missing, *(f"{f.level}: {f.message}" for f in found.findings)]
