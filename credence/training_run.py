"""Train on a table in a few lines of Python: the pipeline's steps without a pipeline, for notebooks and scripts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from credence.core.errors import InputError
from credence.core.hashing import canonical_value
from credence.core.registry import ModelSpec
from credence.data.checks import Findings, check_rows
from credence.data.drafting import Draft, draft_task, source_from_path, task_name
from credence.data.sources._frame import FrameSource
from credence.data.split import assign_parts
from credence.dry_run import load_shift_sets
from credence.evaluation.explain import importance
from credence.evaluation.gate import Verdict
from credence.evaluation.gate.compare import compare_predictors
from credence.evaluation.gate.verdict import TestSetUsage
from credence.experiment import Experiment, run_experiment
from credence.predictor import Predictor
from credence.reporting.model_card import model_card
from credence.reporting.model_report import Report, build_report
from credence.reporting.model_report.html_page import render
from credence.reporting.model_report.notebook_view import render_notebook
from credence.reporting.number_format import align_columns
from credence.security.signing import MANIFEST, seal
from credence.statistics.metrics import MetricName
from credence.task import Task, set_values

FLAG = re.compile(r"--(label|positive|text|id|group)\b( (?!says\b))?")
SETTING = re.compile(r"--set ([\w.]+)=(\w+)")


def train(
    data: pd.DataFrame | str | Path,
    label: str,
    *,
    positive: Any = None,
    text: str | None = None,
    group: str | None = None,
    id: str | None = None,
    models: Iterable[str | Mapping[str, Any] | ModelSpec] | str | None = None,
    metric: MetricName | None = None,
    minimum: float | None = None,
    seed: int = 0,
    sample: int | None = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> "TrainingRun":
    """Train, calibrate, test and judge candidates on a table with a yes/no column.

    Everything that is not given is decided as `credence --data FILE --label COLUMN` decides it; the decisions are in
    `TrainingRun.notes`. Rows are split by a hash into 60 % that train, 20 % that calibrate and 20 % that test.

    Args:
        data: A DataFrame, which stays as it is, or the path of a file or folder that the command line reads.
        label: The column that holds the answer.
        positive: The value, or the list of values, that means yes. Default: guessed where there are two values.
        text: The column to read, where the input is text.
        group: The column to report by, and to pool by.
        id: The column that names a row. Default: a hash of the row.
        models: Candidates: kinds such as "logistic", or dictionaries such as {"kind": "lightgbm", "folds": 3}.
            Default: seven tabular kinds (three above 30,000 rows), or tfidf for text.
        metric: The metric that the verdict is about. Default: accuracy, or balanced_accuracy for a rare answer.
        minimum: The least that the metric must reach; for losses the most. Default: better than the base rate.
        seed: The seed of every candidate.
        sample: Learn from that many rows only, always the same ones.
        name: The name of the task. Default: the file's name, or the label's.
        settings: Any other key of a task, such as {"split.key": "customer", "calibration.alpha": 0.05}.
        progress: Show a progress bar.

    Raises:
        InputError: One sentence on what cannot be used, what was expected and what to do.
    """
    with _python_arguments():
        source = _source(data)
        raw = source.build().read()
        columns = (None if column is None else str(column) for column in (text, id, group))
        draft = draft_task(raw, name or _name(data, label), {}, str(label), _word(positive), *columns)
        chosen = {"gate.metric": metric, "gate.minimum": minimum, **(settings or {})}
        content = set_values(draft.content, {key: value for key, value in chosen.items() if value is not None})
        specs = content["models"] if models is None else [models] if isinstance(models, str) else list(models)
        content |= {"source": source, "models": [_seeded(ModelSpec.of(spec), seed) for spec in specs]}
        task = Task.from_content(draft.name, content)
        return _run(task, task.rows(raw, sample), _notes(draft), progress)


def _source(data: Any) -> Any:
    if isinstance(data, pd.DataFrame):
        return FrameSource.of(data)
    if isinstance(data, (str, Path)):
        return source_from_path(Path(data).expanduser())
    raise InputError(f"data is a {type(data).__name__}; expected a pandas DataFrame with the label, or a file's path.")


def _name(data: Any, label: str) -> str:
    return task_name(Path(str(label)) if isinstance(data, pd.DataFrame) else Path(data))


def _word(positive: Any) -> str | None:
    """The values that mean yes as the command line takes them."""
    if positive is None:
        return None
    values = positive if isinstance(positive, (list, tuple, set)) else [positive]
    return ",".join(map(canonical_value, values))


def _seeded(spec: ModelSpec, seed: int) -> ModelSpec:
    return ModelSpec.of({"seed": seed, **spec.model_dump()})


@contextmanager
def _python_arguments() -> Iterator[None]:
    """Name arguments of `train` where an error names flags of the command line."""
    try:
        yield
    except InputError as error:
        raise InputError(_without_flags(str(error))) from None


def _without_flags(sentence: str) -> str:
    named = SETTING.sub(r'settings={"\1": "\2"}', sentence)
    return FLAG.sub(lambda found: found[1] + ("=" if found[2] else ""), named.replace("--set ", "settings "))


def _notes(draft: Draft) -> list[str]:
    return [_without_flags(note) for note in draft.notes]


def _run(task: Task, rows: pd.DataFrame, notes: list[str], progress: bool) -> "TrainingRun":
    """The steps of the training pipeline, without a champion to compare with."""
    findings = check_rows(rows, assign_parts(rows, task.split), task.checks)
    shifts = load_shift_sets(task, rows)
    with tqdm(total=len(task.models) + 1, unit="step", disable=not progress, leave=False) as bar:

        def watched(specs: list[ModelSpec]) -> Iterator[ModelSpec]:
            for spec in specs:
                bar.set_description(f"fitting {spec.kind}")
                yield spec
                bar.update()

        found = run_experiment(task, rows, watched)
        bar.set_description("measuring on test rows")
        winner, elsewhere = found.contenders.index(found.challenger), pd.concat(shifts) if shifts else None
        report = build_report(found.contenders, winner, None, found.test, task.gate.metric, elsewhere=elsewhere)
        verdict, _ = compare_predictors(found.challenger, None, found.test, task.gate, TestSetUsage(), findings)
        bar.update()
    return TrainingRun(task, found, findings, verdict, report, notes)


@dataclass(frozen=True, repr=False)
class TrainingRun:
    """What `train` found. In a notebook it shows the verdict, the candidates and the calibration plot.

    Attributes:
        task: The task as it was understood.
        experiment: The parts of the rows (train, calibration, test) and every calibrated candidate.
        findings: What the checks say about the rows.
        verdict: Whether the best candidate is good enough, and why.
        measured: Every figure on the test rows.
        notes: What was decided about the table, one sentence each.
    """

    task: Task
    experiment: Experiment
    findings: Findings
    verdict: Verdict
    measured: Report
    notes: list[str]

    @property
    def predictor(self) -> Predictor:
        """The best candidate, calibrated; `predictor.predict(df)` answers raw frames."""
        return self.experiment.challenger

    @cached_property
    def importance(self) -> pd.DataFrame:
        """What moves the answers on the test rows: see `credence.evaluation.explain.importance`."""
        return importance(self.predictor, self.experiment.test)

    def leaderboard(self) -> pd.DataFrame:
        """The candidates by log-loss, and the base rate last: every metric with the ends of its 95 % interval."""
        return self.measured.leaderboard()

    def report(self) -> str:
        """The report that the pipeline writes, as one HTML page without outside resources."""
        return render(self.measured, self.verdict, self.findings, self.task.info(), self.importance)

    def card(self) -> str:
        """The model card that the pipeline writes, in Markdown."""
        return model_card(self.predictor, self.measured, self.verdict, self.findings)

    def save(self, folder: str | Path) -> Path:
        """Write the predictor to a new or empty folder, with report.html and card.md; `credence.load` reads it.

        Raises InputError where the folder holds anything but an earlier saved predictor.
        """
        place = Path(folder).expanduser()
        if place.exists() and (not place.is_dir() or (any(place.iterdir()) and not (place / MANIFEST).is_file())):
            raise InputError(f"{place} exists and holds no predictor; give the path of a new folder.")
        place.mkdir(parents=True, exist_ok=True)
        self.predictor.save(place)
        (place / "report.html").write_text(self.report(), encoding="utf-8")
        (place / "card.md").write_text(self.card(), encoding="utf-8")
        seal(place)
        return place

    def _repr_html_(self) -> str:
        return render_notebook(self.measured, self.verdict, self.notes)

    def __repr__(self) -> str:
        table = align_columns(self.measured.table())
        return f"{self.task.question}\n\n{table}\n\n{self.verdict.outcome}: {self.verdict.reason}"
