"""Progress of a generation run on stderr: one updating line on a terminal, otherwise a line every 15 s."""

import os
import sys
import time
from collections import deque
from typing import TextIO

from credence.core.log import is_json, log
from credence.core.time_format import format_duration
from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import EndpointStatus
from credence.generation.llm.prices import dollars
from credence.generation.runner import Runner

WINDOW_SECONDS, QUIET_INTERVAL_SECONDS = 30.0, 15.0


class Progress:
    """Shows a run's progress each time it is called; call it every second.

    Args:
        stream: Where to print; default stderr.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty() and not is_json()
        self._seen: deque[tuple[float, int]] = deque()
        self._last_shown = float("-inf")
        self._rows = 1

    def __call__(self, run: Runner) -> None:
        """Record the number of rows now, and print a line if one is due."""
        now, there = time.monotonic(), run.there.total()
        self._seen.append((now, there))
        while self._seen[0][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        if self._is_terminal or run.over or now - self._last_shown >= QUIET_INTERVAL_SECONDS:
            self._last_shown = now
            self._show(progress_line(run, self._rate()), run.over)

    def _rate(self) -> float | None:
        """Return rows per second over the last 30 s; None at the start."""
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if last > first else None

    def _show(self, text: str, over: bool) -> None:
        if is_json():
            return log(text)
        if not self._is_terminal:
            return print(f"  {text}", file=self._stream, flush=True)
        up = f"\x1b[{self._rows - 1}A" if self._rows > 1 else ""
        print(f"{up}\r\x1b[J{text}", end="\n" if over else "", file=self._stream, flush=True)
        # On a narrow terminal the line wraps; the next update starts at its first row.
        self._rows = 1 if over else -(-len(text) // os.get_terminal_size(self._stream.fileno()).columns)


def progress_line(run: Runner, rate: float | None) -> str:
    """Format rows by category, rows per second, time left, cost, and endpoints with problems."""
    parts = [f"{category} {run.there[category]:,}/{wanted:,}" for category, wanted in sorted(run.wanted.items())]
    left = run.wanted.total() - run.there.total()
    if expected := _expected(run, rate):
        parts += [f"{expected:,.1f} rows/s", f"{format_duration(max(1, round(left / expected)))} left"] if left else []
    parts.append(_money(run.dispatcher.budget))
    return " · ".join([*parts, *filter(None, map(_endpoint_problems, run.dispatcher.standing()))])


def _money(budget: Budget) -> str:
    if budget.limit is None:
        return dollars(budget.spent)
    nearly = ", nearly spent" if budget.spent and budget.nearly_spent else ""
    return f"{dollars(budget.spent)} of {dollars(budget.limit)}{nearly}"


def _expected(run: Runner, rate: float | None) -> float | None:
    """Estimate rows per second: what the endpoints' limits allow, or the recent rate if that is lower."""
    calls = [endpoint.rate for endpoint in run.dispatcher.standing() if endpoint.stopped is None]
    if not run.items or any(r is None for r in calls) or not calls:
        return rate
    per_call = (run.there.total() - run.before) / max(1, run.calls)
    allowed = sum(r for r in calls if r is not None) * per_call
    return min(allowed, rate) if rate else allowed


def _endpoint_problems(endpoint: EndpointStatus) -> str:
    if endpoint.stopped:
        return endpoint.stopped
    problems = [f"{endpoint.throttled} × 429"] if endpoint.throttled else []
    problems += [f"breaker {endpoint.breaker}"] if endpoint.breaker != "closed" else []
    problems += [f"rests {format_duration(round(endpoint.rests))}"] if endpoint.rests >= 1 else []
    return f"{endpoint.name}: {', '.join(problems)}" if problems else ""
