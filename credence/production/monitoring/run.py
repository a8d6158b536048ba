"""Examine a window of the prediction log: drift, performance and operation of the service."""

import numpy as np
import pandas as pd

from credence.data.novelty.messages import without_figures
from credence.predictor import Predictor
from credence.production.monitoring import FOR_SEQUENCE, Monitoring
from credence.production.monitoring.column_statistics import column_statistics
from credence.production.monitoring.drift import measure_drift
from credence.production.monitoring.martingale import MartingaleMemory, MartingaleResult, update_martingale
from credence.production.monitoring.performance import ScoredRows, score_labelled
from credence.production.monitoring.summary import (
    MonitoringSummary,
    OperationsSummary,
    drift_reason,
    drift_state,
    warnings,
)
from credence.production.monitoring.window import Window
from credence.statistics.metrics import MetricName

PARTS = 12


def summarize_operations(
    records: pd.DataFrame, versions: dict[str, int], yes: str, section: Monitoring, dropped: int, skipped: list[str]
) -> OperationsSummary:
    """Requests, latencies, answers and abstentions in the records of one version."""
    requests = records.drop_duplicates("request_id")
    taken = requests.loc[requests["source"] == "http", "latency_ms"].dropna().to_numpy(float)
    latency = {f"p{q}": float(np.quantile(taken, q / 100)) for q in (50, 95, 99)} if len(taken) else {}
    reasons = (
        records["reasons"].map(lambda r: list(dict.fromkeys(map(without_figures, r)))).explode().dropna().value_counts()
    )
    return OperationsSummary(
        records=len(records),
        requests=len(requests),
        versions=versions,
        first=_spelled(records["time"].min()),
        last=_spelled(records["time"].max()),
        abstained=float(records["abstain"].mean()),
        yes=float((records["label"] == yes).mean()),
        strange={str(why): float(n) / len(records) for why, n in reasons.items()},
        latency_ms=latency,
        bound_ms=section.latency_ms,
        slow=latency.get("p95", 0.0) > section.latency_ms,
        dropped=dropped,
        skipped=skipped,
        answers=_over_time(records, yes),
    )


def _spelled(time: pd.Timestamp) -> str:
    return pd.Timestamp(time).isoformat(timespec="seconds")


def _over_time(records: pd.DataFrame, yes: str) -> dict[str, list[float]]:
    """Mean probability, share of yes and of abstentions over equal parts of the records."""
    parts = [p for p in np.array_split(np.arange(len(records)), min(PARTS, len(records))) if len(p)]
    p, said, abstained = records["probability"], records["label"] == yes, records["abstain"].astype(float)
    series = {"probability": p, "yes": said.astype(float), "abstained": abstained}
    return {name: [float(values.iloc[part].mean()) for part in parts] for name, values in series.items()}


def monitor_window(
    predictor: Predictor,
    window: pd.DataFrame | Window,
    section: Monitoring,
    *,
    test: ScoredRows | None = None,
    metric: MetricName = "accuracy",
    margin: float = 0.0,
    earlier: MartingaleMemory | None = None,
    dropped: int = 0,
    skipped: list[str] | None = None,
) -> MonitoringSummary:
    """Examine the records of a window.

    Args:
        predictor: The predictor that answered.
        window: The joined log (`prediction_log.reader.join_feedback`), or a `Window` made from it.
        section: The settings.
        test: The predictor's answers on the test rows.
        metric: The gate's metric.
        margin: The gate's margin.
        earlier: `sequential.memory` of the window before.
        dropped: Number of records that the log dropped under load.
        skipped: Parts of the log that could not be read.

    Raises:
        InputError: The window holds no record of this predictor, or an input column is missing.
    """
    seen = window if isinstance(window, Window) else Window.of(predictor, window)
    moved = measure_drift(predictor, seen, section, None if test is None else test.p)
    sequential = _sequential(predictor, seen, section, earlier)
    yes = predictor.info.answers[1]
    right = score_labelled(seen.records, seen.keys, yes, section, test, metric, margin)
    service = summarize_operations(seen.records, seen.versions, yes, section, dropped, skipped or [])
    verdict = drift_state(moved, sequential)
    why = drift_reason(verdict, moved, sequential, section)
    return MonitoringSummary(
        task=predictor.info.task,
        version=predictor.info.version,
        verdict=verdict,
        reason=why,
        troubles=([] if verdict == "quiet" else [why]) + warnings(right, service),
        retrain=section.retrain and (verdict == "drift" or right.lost),
        drift=moved,
        sequential=sequential,
        performance=right,
        operations=service,
    )


def _sequential(
    predictor: Predictor, seen: Window, section: Monitoring, earlier: MartingaleMemory | None
) -> MartingaleResult:
    found = column_statistics(seen.schema.select(predictor.reference), seen.inputs, seen.schema)
    watched = [t for t in found if t.column not in section.ignore]
    share = seen.effective / max(len(seen.distinct), 1)
    memory = MartingaleMemory.of(predictor.info.version, earlier)
    fresh = ~(seen.copies | seen.repetition.copied(seen.keys, memory.contents()))
    return update_martingale(
        watched, seen.keys, fresh, seen.records["time"], share, FOR_SEQUENCE * section.alpha, memory
    )
