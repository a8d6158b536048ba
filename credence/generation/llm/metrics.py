"""Prometheus metrics of a generation run. Label values come from closed sets: no ids, no server texts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from credence.generation.llm.messages import Reply
from credence.generation.llm.prices import DOLLAR

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120)
WAITS = (0.01, 0.05, 0.25, 1, 5, 15, 30, 60, 120)
ATTEMPTS = (1, 2, 3, 4, 6, 9, 12)
COMMITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)
STATES = {"closed": 0, "half-open": 1, "open": 2}


class LlmMetrics:
    """The metrics of one run, in a separate registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        at = ["endpoint", "model"]
        self._requests = Counter("llm_requests", "calls by how they ended", [*at, "outcome"], registry=registry)
        self._attempts = Histogram(
            "llm_attempts_per_item", "calls made for an item", registry=registry, buckets=ATTEMPTS
        )
        self._latency = Histogram(
            "llm_latency_seconds", "from sent to answered", at, registry=registry, buckets=SECONDS
        )
        self._tokens = Counter("llm_tokens", "tokens as providers count them", [*at, "kind"], registry=registry)
        self._cost = Counter("llm_cost_usd", "dollars charged", at, registry=registry)
        self._remaining = Gauge("llm_budget_remaining", "dollars neither spent nor reserved", registry=registry)
        self._wait = Histogram(
            "limiter_wait_seconds", "waits for a turn", ["endpoint"], registry=registry, buckets=WAITS
        )
        self._used = Gauge("limiter_utilisation", "share of the limit in use", ["endpoint"], registry=registry)
        self._in_flight = Gauge("inflight", "calls under way", ["endpoint"], registry=registry)
        self._state = Gauge("breaker_state", "0 closed, 1 half-open, 2 open", ["endpoint"], registry=registry)
        self._retry_after = Histogram(
            "retry_after_seconds", "pauses asked for", ["endpoint"], registry=registry, buckets=(*WAITS, 600, 3600)
        )
        self._items = Counter(
            "items", "items by what became of them", ["category", "label", "result"], registry=registry
        )
        self._quarantine = Counter("quarantine", "items given up", ["reason"], registry=registry)
        self._commits = Histogram("ledger_commit_seconds", "commits of the ledger", registry=registry, buckets=COMMITS)
        self._rows = Gauge("ledger_rows", "rows written to the ledger", registry=registry)

    def called(self, endpoint: str, model: str, reply: Reply, reason: str, cost: int) -> None:
        """Count a call that has ended; `cost` is in nanodollars."""
        self._requests.labels(endpoint, model, reason).inc()
        self._latency.labels(endpoint, model).observe(reply.latency)
        self._cost.labels(endpoint, model).inc(cost / DOLLAR)
        if reply.retry_after:
            self._retry_after.labels(endpoint).observe(reply.retry_after)
        if usage := reply.usage:
            counts = {"input": usage.input, "output": usage.output}
            counts |= {"cache_read": usage.cached, "reasoning": usage.reasoning}
            for kind, count in counts.items():
                self._tokens.labels(endpoint, model, kind).inc(count)

    def waited(self, endpoint: str, seconds: float, utilisation: float) -> None:
        """Record a wait for the rate limiter in seconds, and the share of the limit in use."""
        self._wait.labels(endpoint).observe(seconds)
        self._used.labels(endpoint).set(utilisation)

    def stands(self, endpoint: str, in_flight: int, breaker: str, remaining: int | None) -> None:
        """Export an endpoint's state and the remaining budget in nanodollars (None: no limit)."""
        self._in_flight.labels(endpoint).set(in_flight)
        self._state.labels(endpoint).set(STATES[breaker])
        self._remaining.set(float("inf") if remaining is None else remaining / DOLLAR)

    def tried(self, attempts: int) -> None:
        """Record how many calls an item took."""
        self._attempts.observe(attempts)

    def item(self, category: str, label: str, result: str) -> None:
        """Count an item: accepted, duplicate, wrong, ..."""
        self._items.labels(category, label, result).inc()

    def quarantined(self, reason: str) -> None:
        """Count an item that was given up."""
        self._quarantine.labels(reason).inc()

    def committed(self, seconds: float, rows: int) -> None:
        """Record a commit of the ledger: seconds and rows."""
        self._commits.observe(seconds)
        self._rows.inc(rows)
