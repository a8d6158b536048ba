"""Drift: which columns of a window differ significantly from the training rows, and by how much."""

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from credence.core.errors import InputError, did_you_mean
from credence.data.rows import original_name
from credence.data.schema import guarded_value
from credence.predictor import Predictor
from credence.production.monitoring import FOR_COLUMNS, Monitoring
from credence.production.monitoring.column_statistics import ColumnStatistic, column_statistics
from credence.production.monitoring.hypothesis_tests import (
    MAX_CATEGORICAL_VALUES,
    category_shares,
    two_sample_test,
)
from credence.production.monitoring.summary import (
    ANSWERS,
    CategoryBars,
    Change,
    ColumnDrift,
    ColumnSummary,
    DriftReport,
)
from credence.production.monitoring.window import Window
from credence.reporting.number_format import format_number, format_percent
from credence.statistics.uncertainty import Array

MAX_ROWS = 5000
MAX_WORDS = 20_000


def text_drift_scores(column: str, before: pd.Series, now: pd.Series) -> list[ColumnStatistic]:
    """Scores of a classifier that separates reference texts from the window's, on texts that it was not trained on.

    Without a change, the scores of both samples have the same distribution (Lopez-Paz & Oquab 2017). The list is empty
    for fewer than 4 texts of a sample.
    """
    before, now = _thinned(before), _thinned(now)
    learned = pd.concat([before[::2], now[::2]])
    if min(len(before), len(now)) < 4 or not learned.str.contains(r"\w\w").any():
        return []
    words = TfidfVectorizer(max_features=MAX_WORDS, sublinear_tf=True).fit(learned)
    is_now = np.repeat([0, 1], [len(before[::2]), len(now[::2])])
    tell = LogisticRegression(class_weight="balanced").fit(words.transform(learned), is_now)
    old, new = (pd.Series(tell.decision_function(words.transform(half))) for half in (before[1::2], now[1::2]))
    return [ColumnStatistic(column, "wording", "number", old, new)]


def _thinned(texts: pd.Series) -> pd.Series:
    return texts.iloc[:: -(-len(texts) // MAX_ROWS)] if len(texts) > MAX_ROWS else texts


BINS = 12
PROBABILITY = "probability"


def measure_drift(predictor: Predictor, window: Window, section: Monitoring, test: Array | None) -> DriftReport:
    """Compare every column with the reference rows, and the probabilities with those of the test rows.

    The reference rows are training rows, so the predictor's probabilities for them are overconfident.

    Args:
        predictor: The predictor.
        window: The window of its log.
        section: The settings.
        test: Probabilities of the test rows, shape (test rows,); without them probabilities are not compared.

    Raises:
        InputError: `section.ignore` names a column that is not compared.
    """
    reference = window.schema.select(predictor.reference)
    found = column_statistics(reference, window.distinct, window.schema)
    for column in (c.name for c in window.schema.columns if c.kind == "text"):
        found += text_drift_scores(original_name(column), reference[column], window.distinct[column])
    if test is not None:
        now = window.records.loc[~window.copies, "probability"]
        found.append(ColumnStatistic(PROBABILITY, ANSWERS, "number", pd.Series(test), now))
    _require_known(section.ignore, [t.column for t in found])
    enough = window.effective >= section.minimum_rows
    return DriftReport(
        rows=len(window.records),
        distinct=len(window.distinct),
        effective=window.effective,
        reference=len(reference),
        enough=enough,
        watched=_test_columns(found, window, section, enough),
        unwatched=_unwatched(predictor, window),
    )


def _unwatched(predictor: Predictor, window: Window) -> dict[str, str]:
    hashed = set(predictor.info.schema_.names()) - set(window.schema.names())
    return {original_name(c): "kept as a hash only" for c in sorted(hashed)}


def _require_known(ignored: list[str], known: list[str]) -> None:
    for name in ignored:
        if name not in known:
            raise InputError(f"monitoring.ignore: no column {name!r} is watched. {did_you_mean(name, known)}")


def _test_columns(found: list[ColumnStatistic], window: Window, section: Monitoring, enough: bool) -> list[ColumnDrift]:
    weight = window.effective / max(len(window.distinct), 1)
    found = [ColumnStatistic(t.column, t.name, t.kind, t.before.dropna(), t.now.dropna()) for t in found]
    results = [two_sample_test(*_comparable(t), weight) for t in found]
    counted = np.array([t.kind != "date" and t.column not in section.ignore for t in found], bool)
    q = np.ones(len(found))
    q[counted] = false_discovery_control(np.array([p for _, p in results])[counted])
    lines = zip(found, results, q, counted, strict=True)
    changes = [_change(d, adj, judged and enough, section) for _, (d, _), adj, judged in lines]
    return [
        _column_drift(t, d, p, adj, change)
        for t, (d, p), adj, change in zip(found, results, q.tolist(), changes, strict=True)
    ]


def _change(distance: float, q: float, judged: bool, section: Monitoring) -> Change:
    if not judged:
        return "aside"
    if q > FOR_COLUMNS * section.alpha:
        return "steady"
    return "drifted" if distance >= section.effect else "small"


def _comparable(trait: ColumnStatistic) -> tuple[pd.Series, pd.Series]:
    if trait.kind != "date":
        return trait.before, trait.now
    return pd.Series(guarded_value("date", trait.before)), pd.Series(guarded_value("date", trait.now))


def _column_drift(trait: ColumnStatistic, distance: float, p: float, q: float, change: Change) -> ColumnDrift:
    before, now = summarize_column(trait, trait.before), summarize_column(trait, trait.now)
    return ColumnDrift(
        column=trait.column,
        trait=trait.name,
        kind=trait.kind,
        distance=distance,
        p_value=p,
        q_value=q,
        change=change,
        before=before,
        now=now,
        bars=category_bars(trait),
        sentence=_sentence(trait, distance, before, now),
    )


def summarize_column(trait: ColumnStatistic, values: pd.Series) -> ColumnSummary:
    """Quantiles of a sample, or its most frequent values."""
    if not len(values):
        return ColumnSummary(rows=0)
    if trait.kind == "category":
        shares = values.astype(str).value_counts(normalize=True)
        return ColumnSummary(rows=len(values), shares={str(k): float(v) for k, v in shares.head(20).items()})
    x = guarded_value(trait.kind, values)
    low, median, high = np.quantile(x, [0.1, 0.5, 0.9])
    return ColumnSummary(rows=len(values), mean=float(x.mean()), low=float(low), median=float(median), high=float(high))


def category_bars(trait: ColumnStatistic) -> CategoryBars:
    """Shares of both samples over common bins: the most frequent values, or 12 intervals of equal width."""
    if not len(trait.before) or not len(trait.now):
        return CategoryBars(labels=[], before=[], now=[])
    if trait.kind == "category" or (
        trait.kind == "number" and pd.concat([trait.before, trait.now]).nunique() <= MAX_CATEGORICAL_VALUES
    ):
        names, before, now = category_shares(trait.before, trait.now)
        return CategoryBars(labels=names, before=before.tolist(), now=now.tolist())
    x, y = (guarded_value(trait.kind, s) for s in (trait.before, trait.now))
    low, high = np.quantile(np.concatenate([x, y]), [0.005, 0.995])
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(np.clip(v, low, high), edges)[0] / len(v) for v in (x, y)]
    return CategoryBars(labels=[_edge(trait, e) for e in edges], before=shares[0].tolist(), now=shares[1].tolist())


def _edge(trait: ColumnStatistic, edge: float) -> str:
    return str(pd.Timestamp(edge, unit="s").date()) if trait.kind == "date" else format_number(edge)


def _sentence(trait: ColumnStatistic, distance: float, before: ColumnSummary, now: ColumnSummary) -> str:
    moved = f"{trait.title}: {format_percent(distance, 2)} of the rows moved"
    if trait.kind == "category" and before.shares and now.shares:
        most = max({*before.shares, *now.shares}, key=lambda v: abs(before.shares.get(v, 0) - now.shares.get(v, 0)))
        then, today = (format_percent(s.shares.get(most, 0.0)) for s in (before, now))
        return f"{moved}; {most!r} went from {then} to {today}"
    if before.median is None or now.median is None or before.mean is None or now.mean is None:
        return f"{trait.title}: no value to compare"
    return (
        f"{moved}; the median went from {_edge(trait, before.median)} to {_edge(trait, now.median)}, "
        f"the mean from {_edge(trait, before.mean)} to {_edge(trait, now.mean)}"
    )
