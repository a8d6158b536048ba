"""Which columns of a window differ from what the predictor learned from, beyond luck and by how much."""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from credence.core.errors import BadInput, did_you_mean
from credence.data.rows import raw_name
from credence.data.schema import measured
from credence.predictor import Predictor
from credence.production.monitoring import FOR_COLUMNS, Monitoring
from credence.production.monitoring.column_statistics import Trait, traits
from credence.production.monitoring.hypothesis_tests import FEW_VALUES, adjusted, compare, levels
from credence.production.monitoring.summary import ANSWERS, Bars, Change, Drift, Summary, Watched
from credence.production.monitoring.window import Window
from credence.reporting.number_format import number, percent
from credence.statistics.uncertainty import Array

MOST_ROWS = 5000
MOST_WORDS = 20_000


def wording(column: str, before: pd.Series, now: pd.Series) -> list[Trait]:
    """The scores of a classifier that learned on every other text of both, for the texts that it has not seen.

    Where nothing has changed, both halves' scores are alike (Lopez-Paz & Oquab 2017); nothing for too few texts.
    """
    before, now = _thinned(before), _thinned(now)
    learned = pd.concat([before[::2], now[::2]])
    if min(len(before), len(now)) < 4 or not learned.str.contains(r"\w\w").any():
        return []
    words = TfidfVectorizer(max_features=MOST_WORDS, sublinear_tf=True).fit(learned)
    is_now = np.repeat([0, 1], [len(before[::2]), len(now[::2])])
    tell = LogisticRegression(class_weight="balanced").fit(words.transform(learned), is_now)
    old, new = (pd.Series(tell.decision_function(words.transform(half))) for half in (before[1::2], now[1::2]))
    return [Trait(column, "wording", "number", old, new)]


def _thinned(texts: pd.Series) -> pd.Series:
    return texts.iloc[:: -(-len(texts) // MOST_ROWS)] if len(texts) > MOST_ROWS else texts


BINS = 12
PROBABILITY = "probability"


def drift(predictor: Predictor, window: Window, section: Monitoring, test: Array | None) -> Drift:
    """Compare every column with the reference rows, and the probabilities with those of the test rows.

    The reference rows trained the predictor, so its probabilities for them are too sure to be compared with.
    """
    reference = window.schema.select(predictor.reference)
    found = traits(reference, window.distinct, window.schema)
    for column in (c.name for c in window.schema.columns if c.kind == "text"):
        found += wording(raw_name(column), reference[column], window.distinct[column])
    if test is not None:
        now = window.records.loc[~window.copies, "probability"]
        found.append(Trait(PROBABILITY, ANSWERS, "number", pd.Series(test), now))
    _refuse_unknown(section.ignore, [t.column for t in found])
    enough = window.effective >= section.minimum_rows
    return Drift(
        rows=len(window.records), distinct=len(window.distinct), effective=window.effective, reference=len(reference),
        enough=enough, watched=_judged(found, window, section, enough), unwatched=_unwatched(predictor, window),
    )  # fmt: skip


def _unwatched(predictor: Predictor, window: Window) -> dict[str, str]:
    hashed = set(predictor.facts.schema_.names()) - set(window.schema.names())
    return {raw_name(c): "kept as a hash only" for c in sorted(hashed)}


def _refuse_unknown(ignored: list[str], known: list[str]) -> None:
    for name in ignored:
        if name not in known:
            raise BadInput(f"monitoring.ignore: no column {name!r} is watched. {did_you_mean(name, known)}")


def _judged(found: list[Trait], window: Window, section: Monitoring, enough: bool) -> list[Watched]:
    weight = window.effective / max(len(window.distinct), 1)
    found = [Trait(t.column, t.name, t.kind, t.before.dropna(), t.now.dropna()) for t in found]
    results = [compare(*_comparable(t), weight) for t in found]
    counted = np.array([t.kind != "date" and t.column not in section.ignore for t in found], bool)
    q = np.ones(len(found))
    q[counted] = adjusted(np.array([p for _, p in results])[counted])
    lines = zip(found, results, q, counted, strict=True)
    changes = [_change(d, adj, judged and enough, section) for _, (d, _), adj, judged in lines]
    return [
        _watched(t, d, p, adj, change)
        for t, (d, p), adj, change in zip(found, results, q.tolist(), changes, strict=True)
    ]


def _change(distance: float, q: float, judged: bool, section: Monitoring) -> Change:
    if not judged:
        return "aside"
    if q > FOR_COLUMNS * section.alpha:
        return "steady"
    return "drifted" if distance >= section.effect else "small"


def _comparable(trait: Trait) -> tuple[pd.Series, pd.Series]:
    if trait.kind != "date":
        return trait.before, trait.now
    return pd.Series(measured("date", trait.before)), pd.Series(measured("date", trait.now))


def _watched(trait: Trait, distance: float, p: float, q: float, change: Change) -> Watched:
    before, now = summary(trait, trait.before), summary(trait, trait.now)
    return Watched(
        column=trait.column, trait=trait.name, kind=trait.kind, distance=distance, p_value=p, q_value=q, change=change,
        before=before, now=now, bars=bars(trait), sentence=_sentence(trait, distance, before, now),
    )  # fmt: skip


def summary(trait: Trait, values: pd.Series) -> Summary:
    """The sample's middle and spread, or its commonest values."""
    if not len(values):
        return Summary(rows=0)
    if trait.kind == "category":
        shares = values.astype(str).value_counts(normalize=True)
        return Summary(rows=len(values), shares={str(k): float(v) for k, v in shares.head(20).items()})
    x = measured(trait.kind, values)
    low, median, high = np.quantile(x, [0.1, 0.5, 0.9])
    return Summary(rows=len(values), mean=float(x.mean()), low=float(low), median=float(median), high=float(high))


def bars(trait: Trait) -> Bars:
    """Both samples over common bins: the commonest values, or twelve intervals that hold as many rows of both."""
    if not len(trait.before) or not len(trait.now):
        return Bars(labels=[], before=[], now=[])
    if trait.kind == "category" or (
        trait.kind == "number" and pd.concat([trait.before, trait.now]).nunique() <= FEW_VALUES
    ):
        names, before, now = levels(trait.before, trait.now)
        return Bars(labels=names, before=before.tolist(), now=now.tolist())
    x, y = (measured(trait.kind, s) for s in (trait.before, trait.now))
    low, high = np.quantile(np.concatenate([x, y]), [0.005, 0.995])
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(np.clip(v, low, high), edges)[0] / len(v) for v in (x, y)]
    return Bars(labels=[_edge(trait, e) for e in edges], before=shares[0].tolist(), now=shares[1].tolist())


def _edge(trait: Trait, edge: float) -> str:
    return str(pd.Timestamp(edge, unit="s").date()) if trait.kind == "date" else number(edge)


def _sentence(trait: Trait, distance: float, before: Summary, now: Summary) -> str:
    moved = f"{trait.title}: {percent(distance, 2)} of the rows moved"
    if trait.kind == "category" and before.shares and now.shares:
        most = max({*before.shares, *now.shares}, key=lambda v: abs(before.shares.get(v, 0) - now.shares.get(v, 0)))
        then, today = (percent(s.shares.get(most, 0.0)) for s in (before, now))
        return f"{moved}; {most!r} went from {then} to {today}"
    if before.median is None or now.median is None or before.mean is None or now.mean is None:
        return f"{trait.title}: no value to compare"
    return (
        f"{moved}; the median went from {_edge(trait, before.median)} to {_edge(trait, now.median)}, "
        f"the mean from {_edge(trait, before.mean)} to {_edge(trait, now.mean)}"
    )
