"""Look at a window of the log: has the world changed, are the answers still right, how does the service fare?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.metrics import Name
from credence.monitoring import FOR_SEQUENCE, Monitoring
from credence.monitoring.drift import drift
from credence.monitoring.health import Health
from credence.monitoring.labelled import Answered, labelled
from credence.monitoring.operations import operations
from credence.monitoring.sequence import Memory, Sequential, bet
from credence.monitoring.traits import traits
from credence.monitoring.verdict import reason, state, troubles
from credence.monitoring.window import Window
from credence.predictor import Predictor

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
