"""Look at a window of the log: has the world changed, are the answers still right, how does the service fare?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.data.novelty.messages import general
from credence.predictor import Predictor
from credence.production.monitoring import FOR_SEQUENCE, Monitoring
from credence.production.monitoring.column_statistics import traits
from credence.production.monitoring.drift import drift
from credence.production.monitoring.martingale import Memory, Sequential, bet
from credence.production.monitoring.performance import Answered, labelled
from credence.production.monitoring.summary import Health, Operations, reason, state, troubles
from credence.production.monitoring.window import Window
from credence.statistics.metrics import Name

PARTS = 12


def operations(
    records: pd.DataFrame, versions: dict[str, int], yes: str, section: Monitoring, dropped: int, skipped: list[str]
) -> Operations:
    """Read it off the records of one version."""
    requests = records.drop_duplicates("request_id")
    taken = requests.loc[requests["source"] == "http", "latency_ms"].dropna().to_numpy(float)
    latency = {f"p{q}": float(np.quantile(taken, q / 100)) for q in (50, 95, 99)} if len(taken) else {}
    reasons = records["reasons"].map(lambda r: list(dict.fromkeys(map(general, r)))).explode().dropna().value_counts()
    return Operations(
        records=len(records), requests=len(requests), versions=versions, first=_spelled(records["time"].min()),
        last=_spelled(records["time"].max()), abstained=float(records["abstain"].mean()),
        yes=float((records["label"] == yes).mean()),
        strange={str(why): float(n) / len(records) for why, n in reasons.items()},
        latency_ms=latency, bound_ms=section.latency_ms, slow=latency.get("p95", 0.0) > section.latency_ms,
        dropped=dropped, skipped=skipped, answers=_over_time(records, yes),
    )  # fmt: skip


def _spelled(time: pd.Timestamp) -> str:
    return pd.Timestamp(time).isoformat(timespec="seconds")


def _over_time(records: pd.DataFrame, yes: str) -> dict[str, list[float]]:
    """Mean probability, share of yes and of abstentions over equal parts of the records."""
    parts = [p for p in np.array_split(np.arange(len(records)), min(PARTS, len(records))) if len(p)]
    p, said, abstained = records["probability"], records["label"] == yes, records["abstain"].astype(float)
    series = {"probability": p, "yes": said.astype(float), "abstained": abstained}
    return {name: [float(values.iloc[part].mean()) for part in parts] for name, values in series.items()}


Test = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def examine(
    predictor: Predictor, window: pd.DataFrame | Window, section: Monitoring, *, test: Test | None = None,
    metric: Name = "accuracy", margin: float = 0.0, earlier: Memory | None = None, dropped: int = 0,
    skipped: list[str] | None = None,
) -> Health:  # fmt: skip
    """The state of a predictor from the records of a window.

    Args:
        window: what `predictions.reading.joined` gives, or what `Window.of` has read from that.
        test: the predictor's probabilities, labels (is yes), truth and groups on rows it has not learned from.
        metric, margin: what the gate judges by.
        earlier: `sequential.memory` of the window before.
        dropped, skipped: what the log could not keep or read.
    """
    seen = window if isinstance(window, Window) else Window.of(predictor, window)
    moved = drift(predictor, seen, section, None if test is None else np.asarray(test[0], float))
    sequential = _sequential(predictor, seen, section, earlier)
    answered = None if test is None else _answered(test)
    yes = predictor.facts.answers[1]
    right = labelled(seen.records, seen.keys, yes, section, answered, metric, margin)
    service = operations(seen.records, seen.versions, yes, section, dropped, skipped or [])
    verdict = state(moved, sequential)
    why = reason(verdict, moved, sequential, section)
    return Health(
        task=predictor.facts.task, version=predictor.facts.version, verdict=verdict, reason=why,
        troubles=([] if verdict == "quiet" else [why]) + troubles(right, service),
        retrain=section.retrain and (verdict == "drift" or right.lost),
        drift=moved, sequential=sequential, performance=right, operations=service,
    )  # fmt: skip


def _answered(test: Test) -> Answered:
    p, yes, y, _ = test
    return Answered(np.asarray(p, float), np.asarray(yes, bool), np.asarray(y, np.int64))


def _sequential(predictor: Predictor, seen: Window, section: Monitoring, earlier: Memory | None) -> Sequential:
    found = traits(seen.schema.select(predictor.reference), seen.inputs, seen.schema)
    watched = [t for t in found if t.column not in section.ignore]
    share = seen.effective / max(len(seen.distinct), 1)
    memory = Memory.of(predictor.facts.version, earlier)
    fresh = ~(seen.copies | seen.repetition.copied(seen.keys, memory.contents()))
    return bet(watched, seen.keys, fresh, seen.records["time"], share, FOR_SEQUENCE * section.alpha, memory)
