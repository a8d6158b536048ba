"""What Prometheus sees of a run is what happened in it."""

from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Reply, Request, Usage
from credence.generation.llm.metrics import LlmMetrics
from credence.generation.llm.prices import Price
from tests.fakes.virtual_clock import http, ok, played, playing, request

NAMES = {
    "llm_requests_total",
    "llm_attempts_per_item_count",
    "llm_latency_seconds_bucket",
    "llm_tokens_total",
    "llm_cost_usd_total",
    "llm_budget_remaining",
    "limiter_wait_seconds_count",
    "limiter_utilisation",
    "inflight",
    "breaker_state",
    "retry_after_seconds_sum",
    "items_total",
    "quarantine_total",
    "ledger_commit_seconds_count",
    "ledger_rows",
}


class Watched:
    """Meters under an endpoint's name that no other test uses: in this process all registries share their values."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.meters = LlmMetrics(self.registry)
        self.name = f"e{uuid4().hex}"

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def here(self, name: str, **labels: str) -> float:
        return self.value(name, endpoint=self.name, **labels)

    def ask(self, *replies: Any, budget: Budget | None = None) -> None:
        provider = playing(list(replies), name=self.name)
        to = Dispatcher(
            [provider],
            budget or Budget(),
            failover=False,
            prices={"arithmetic": Price(input=1, output=2)},
            meters=self.meters,
        )
        played(to.call(request(self.name), slot="a"))


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_calls_tokens_and_dollars_add_up(watched: Watched) -> None:
    before = watched.value("llm_attempts_per_item_sum")
    reply = ok(latency=3.0).model_copy(update={"usage": Usage(input=90, output=60, cached=30, reasoning=20)})
    watched.ask(http(429, retry_after=7), http(500, usage=Usage(input=10, output=0)), reply)
    at = {"model": "arithmetic"}
    assert [watched.here("llm_requests_total", outcome=o, **at) for o in ("ok", "http_429", "http_500")] == [1, 1, 1]
    tokens = {k: watched.here("llm_tokens_total", kind=k, **at) for k in ("input", "output", "cache_read", "reasoning")}
    assert tokens == {"input": 100, "output": 60, "cache_read": 30, "reasoning": 20}
    assert watched.here("llm_cost_usd_total", **at) == pytest.approx((100 + 2 * 60) / 1e6)
    assert watched.here("retry_after_seconds_sum") == 7
    assert watched.here("llm_latency_seconds_bucket", le="5.0", **at) == 3
    assert watched.here("llm_latency_seconds_bucket", le="2.5", **at) == 2
    assert watched.value("llm_attempts_per_item_sum") - before == 3
    assert watched.here("limiter_wait_seconds_count") == 3


def test_the_breaker_and_the_budget_are_shown(watched: Watched) -> None:
    watched.ask(ok(), budget=Budget(2))
    assert watched.here("breaker_state") == 0 and watched.here("inflight") == 0
    assert watched.value("llm_budget_remaining") == pytest.approx(2 - 150 / 1e6)


def test_calls_under_way_are_seen_while_they_are(watched: Watched) -> None:
    seen: list[float] = []

    def behave(asked: Request, call: int) -> Reply:
        seen.append(watched.here("inflight"))
        return ok()

    to = Dispatcher([playing(behave, name=watched.name)], Budget(), failover=False, meters=watched.meters)
    played(to.call(request(watched.name), slot="a"))
    assert seen == [1] and watched.here("inflight") == 0


def test_items_quarantine_and_commits_are_counted(watched: Watched) -> None:
    watched.meters.item(watched.name, "yes", "kept")
    watched.meters.quarantined(watched.name)
    commits, rows = watched.value("ledger_commit_seconds_count"), watched.value("ledger_rows")
    watched.meters.committed(0.004, 256)
    watched.meters.committed(0.004, 1)
    assert watched.value("items_total", category=watched.name, label="yes", result="kept") == 1
    assert watched.value("quarantine_total", reason=watched.name) == 1
    assert watched.value("ledger_commit_seconds_count") == commits + 2 and watched.value("ledger_rows") == rows + 257


def test_the_names_are_those_that_dashboards_use(watched: Watched) -> None:
    watched.ask(http(429, retry_after=1), ok())
    watched.meters.item("a", "yes", "kept")
    watched.meters.quarantined("empty")
    watched.meters.committed(0.1, 1)
    assert {s.name for family in watched.registry.collect() for s in family.samples} >= NAMES


def test_no_label_comes_from_a_server(watched: Watched) -> None:
    watched.ask(http(500, error_type="<script>"), ok("secret"))
    labels = [v for f in watched.registry.collect() for s in f.samples for v in s.labels.values()]
    assert "<script>" not in labels and "secret" not in labels
