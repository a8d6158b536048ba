"""Cost, latency and outcome of the calls of a run."""

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
    """Tokens as providers counted them; `cached` is part of `input`, `reasoning` is part of `output`."""

    input: int
    cached: int
    output: int
    reasoning: int


class CallSummary(StrictModel):
    """Calls and their outcome.

    Attributes:
        calls: Number of calls.
        kept: Reused replies of earlier runs, which are not counted as calls.
        answered: Calls that were answered.
        tokens: Tokens of all calls.
        cost: Nanodollars.
        median: Median latency in seconds.
        p95: 95th percentile of latency in seconds.
    """

    calls: int
    kept: int
    answered: Proportion
    tokens: TokenCounts
    cost: int
    median: float | None
    p95: float | None


class ModelCosts(CallSummary):
    """Calls to one model."""

    provider: str
    model: str


class EndCount(StrictModel):
    """Number of calls with one outcome."""

    how: str
    calls: Proportion


class LatencyBucket(StrictModel):
    """Calls with latencies up to `up_to` seconds and above the previous bucket; None for the last one."""

    up_to: float | None
    calls: int


class CallCosts(CallSummary):
    """All calls, by outcome, latency and model; `held` is reserved for calls with unknown outcome (nanodollars)."""

    held: int
    ended: list[EndCount]
    latency: list[LatencyBucket]
    bills: list[ModelCosts]


def call_costs(attempts: pa.Table, spent: Spending) -> CallCosts:
    """Summarize the ledger's calls.

    Args:
        attempts: `LedgerReader.attempts`.
        spent: `LedgerReader.spent`.
    """
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
    """Return the reason recorded for a call, or else the kind of its reply."""
    return str(row["reason"] or row["kind"])


def _buckets(took: list[float]) -> list[LatencyBucket]:
    counts = np.bincount(np.searchsorted(SECONDS, took), minlength=len(SECONDS) + 1).tolist()
    return [LatencyBucket(up_to=end, calls=n) for end, n in zip((*SECONDS, None), counts, strict=True)]
