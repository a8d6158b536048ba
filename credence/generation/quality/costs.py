"""What the calls of a run cost, how long they took and how they ended."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from credence.core.registry import StrictModel
from credence.generation.ledger import Spending
from credence.generation.llm.metrics import SECONDS
from credence.reporting.proportion import Proportion, proportion

COLUMNS = [
    "provider",
    "model",
    "kind",
    "reason",
    "latency",
    "input",
    "output",
    "cached",
    "reasoning",
    "cost",
]
ANSWERED, KEPT = "ok", "kept"
CostRow = dict[str, Any]


class TokenCounts(StrictModel):
    """Tokens as providers counted them: `cached` is a part of `input`, `reasoning` a part of `output`."""

    input: int
    cached: int
    output: int
    reasoning: int


class CallSummary(StrictModel):
    """Calls, how many of them were answered, and what they took; `cost` is in nanodollars, the rest in seconds.

    `kept`: answers of earlier runs that were used again; they are no calls, and took neither time nor tokens.
    """

    calls: int
    kept: int
    answered: Proportion
    tokens: TokenCounts
    cost: int
    median: float | None
    p95: float | None


class ModelCosts(CallSummary):
    """The calls to one model."""

    provider: str
    model: str


class EndCount(StrictModel):
    """How many calls ended in this way."""

    how: str
    calls: Proportion


class LatencyBucket(StrictModel):
    """The calls that took up to so many seconds, and more than those of the bucket before; the last has no end."""

    up_to: float | None
    calls: int


class CallCosts(CallSummary):
    """All calls. `held`: nanodollars set aside for calls whose end nobody knows."""

    held: int
    ended: list[EndCount]
    latency: list[LatencyBucket]
    bills: list[ModelCosts]


def call_costs(attempts: pa.Table, spent: Spending) -> CallCosts:
    """What the ledger's calls come to."""
    rows = attempts.select(COLUMNS).to_pylist()
    made = [row for row in rows if row["reason"] != KEPT]
    models: dict[tuple[str, str], list[CostRow]] = {}
    for row in rows:
        models.setdefault((row["provider"], row["model"]), []).append(row)
    bills = [ModelCosts(provider=p, model=m, **_calls(part)) for (p, m), part in sorted(models.items())]
    return CallCosts(
        **{**_calls(rows), "cost": spent.settled},
        held=spent.reserved,
        ended=[EndCount(how=how, calls=proportion(n, len(made))) for how, n in Counter(map(_how, made)).most_common()],
        latency=_buckets([row["latency"] for row in made]),
        bills=bills,
    )


def _calls(rows: list[CostRow]) -> dict[str, Any]:
    made = [row for row in rows if row["reason"] != KEPT]
    took = [row["latency"] for row in made]
    return {
        "calls": len(made),
        "kept": len(rows) - len(made),
        "answered": proportion(sum(_how(row) == ANSWERED for row in made), len(made)),
        "tokens": TokenCounts(**{kind: sum(row[kind] or 0 for row in made) for kind in TokenCounts.model_fields}),
        "cost": sum(row["cost"] for row in rows),
        "median": float(np.quantile(took, 0.5)) if took else None,
        "p95": float(np.quantile(took, 0.95)) if took else None,
    }


def _how(row: CostRow) -> str:
    """What was decided of the call, or else how it ended by itself."""
    return str(row["reason"] or row["kind"])


def _buckets(took: list[float]) -> list[LatencyBucket]:
    counts = np.bincount(np.searchsorted(SECONDS, took), minlength=len(SECONDS) + 1).tolist()
    return [LatencyBucket(up_to=end, calls=n) for end, n in zip((*SECONDS, None), counts, strict=True)]
