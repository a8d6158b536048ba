"""The line that a person sees who waits: what it says, how often, and what a terminal shows of it."""

import asyncio
import fcntl
import io
import os
import re
import struct
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from credence.generation import progress
from credence.generation.generate import generate
from credence.generation.ledger import Ledger, slots
from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.prices import DOLLAR
from credence.generation.llm.provider import RateLimits
from credence.generation.progress import QUIET_INTERVAL_SECONDS, WINDOW_SECONDS, Progress, progress_line
from credence.generation.runner import Runner
from credence.generation.section import Generation
from credence.generation.writers.cached_calls import CachedCaller
from credence.generation.writers.statements import Statements
from tests.fakes.fake_llm import FakeLLM
from tests.fakes.virtual_clock import Played, played, playing
from tests.support.ledger_cases import result

QUOTAS = {"comparison": {"no": 600, "yes": 600}, "pattern": {"no": 4, "yes": 4}}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger", {"quotas": QUOTAS}) as made:
        made.due_slots(slots(made.spec_id, QUOTAS))
        yield made


def told(
    ledger: Ledger, change: Callable[[Runner], None], *providers: Played, budget: float | None = 10, **given: Any
) -> str:
    """What is said of a run that was brought into some state."""
    return played(_told(ledger, change, providers or (playing([]),), budget, **given))


async def _told(
    ledger: Ledger,
    change: Callable[[Runner], None],
    providers: tuple[Played, ...],
    budget: float | None,
    rate: float | None = None,
) -> str:
    run = run_of(ledger, providers, budget)
    change(run)
    return progress_line(run, rate)


def run_of(ledger: Ledger, providers: tuple[Played, ...], budget: float | None = 10) -> Runner:
    dispatcher = Dispatcher(providers, Budget(budget), failover=True)
    return Runner(ledger, dispatcher, CachedCaller(ledger, dispatcher), Statements(20), patience=60)


def nothing(run: Runner) -> None:
    pass


def test_rows_by_category_and_money(ledger: Ledger) -> None:
    assert told(ledger, nothing) == "comparison 0/1,200 · pattern 0/8 · $0.00 of $10.00"
    assert told(ledger, nothing, budget=None) == "comparison 0/1,200 · pattern 0/8 · $0.00"

    def later(run: Runner) -> None:
        run.there.update({"comparison": 1150, "pattern": 8})
        run.dispatcher.budget.spent = 1_234_567_890

    assert told(ledger, later) == "comparison 1,150/1,200 · pattern 8/8 · $1.23 of $10.00"


def test_four_fifths_of_the_budget_are_a_warning(ledger: Ledger) -> None:
    def spend(run: Runner) -> None:
        run.dispatcher.budget.spent = 8_000_000_000

    assert "$8.00 of $10.00, nearly spent" in told(ledger, spend)
    assert "nearly" not in told(ledger, spend, budget=11)


@pytest.mark.parametrize(
    ("limit", "spent", "said"),
    [
        (10.0, 7.99, "$7.99 of $10.00"),
        (10.0, 8.0, "$8.00 of $10.00, nearly spent"),
        (0.0, 0.0, "$0.00 of $0.00"),
        (None, 8.0, "$8.00"),
    ],
)
def test_money_that_runs_short_is_said(ledger: Ledger, limit: float | None, spent: float, said: str) -> None:
    def spend(run: Runner) -> None:
        run.dispatcher.budget.spent = round(spent * DOLLAR)

    assert told(ledger, spend, budget=limit).split(" · ")[-1] == said


def test_what_earlier_runs_wrote_counts(ledger: Ledger) -> None:
    ledger.record([result(slot, slot.slot_id) for slot in ledger.due() if slot.category == "pattern"])
    assert told(ledger, nothing).startswith("comparison 0/1,200 · pattern 8/8 · ")


def working(run: Runner) -> None:
    """Half of all rows are there, of which this run wrote 400 in 20 calls."""
    run.there.update({"comparison": 604})
    run.before, run.calls, run.items = 204, 20, 400


def test_the_time_left_follows_from_the_rate_of_late(ledger: Ledger) -> None:
    assert "2.0 rows/s · 5m2s left" in told(ledger, working, rate=2.0)
    assert "left" not in told(ledger, working, rate=None)


def test_the_time_left_is_never_less_than_the_limits_allow(ledger: Ledger) -> None:
    """Six calls a minute with 20 rows each are 2 rows a second, however quickly some came from the ledger."""
    slow = playing([], limits=RateLimits(rpm=6))
    assert "2.0 rows/s · 5m2s left" in told(ledger, working, slow, rate=500.0)
    assert "2.0 rows/s · 5m2s left" in told(ledger, working, slow, rate=None)
    assert "1.0 rows/s · 10m4s left" in told(ledger, working, slow, rate=1.0)
    two = (slow, playing([], name="second", model="gpt-4o", limits=RateLimits(rpm=6)))
    assert "4.0 rows/s · 2m31s left" in told(ledger, working, *two, rate=500.0)


def test_before_anything_came_and_after_everything_did_no_time_is_told(ledger: Ledger) -> None:
    slow = playing([], limits=RateLimits(rpm=6))
    assert "left" not in told(ledger, nothing, slow, rate=0.0)

    def done(run: Runner) -> None:
        working(run)
        run.there.update({"comparison": 596, "pattern": 8})

    assert told(ledger, done, slow, rate=3.0) == "comparison 1,200/1,200 · pattern 8/8 · $0.00 of $10.00"


def troubled(run: Runner) -> None:
    first, second, third = run.dispatcher.endpoints.values()
    first.throttled = 3
    first.rest(185)
    for _ in range(5):
        permit = second.breaker.admit()
        assert permit
        permit.failed()
    third.stop("http_401", "invalid_api_key")


def test_endpoints_speak_only_where_something_is_out_of_the_ordinary(ledger: Ledger) -> None:
    named = tuple(playing([], name=name) for name in ("first", "second", "third"))
    parts = told(ledger, troubled, *named).split(" · ")[3:]
    assert parts[0] == "first: 3 × 429, rests 3m5s"
    assert parts[1].startswith("second: breaker open")
    assert parts[2] == "third was stopped: its key was refused (invalid_api_key)" and len(parts) == 3


def test_a_stopped_endpoint_is_no_longer_counted_on(ledger: Ledger) -> None:
    def one_left(run: Runner) -> None:
        working(run)
        run.dispatcher.endpoints["second"].stop("http_402", None)

    two = (playing([], limits=RateLimits(rpm=6)), playing([], name="second", limits=RateLimits(rpm=6)))
    said = told(ledger, one_left, *two, rate=500.0)
    assert "2.0 rows/s" in said and said.endswith("second was stopped: its account is out of money")


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: self.now))


def watched(ledger: Ledger, steps: Callable[[Runner, Progress], None], stream: Any) -> None:
    async def run() -> None:
        steps(run_of(ledger, (playing([]),)), Progress(stream))

    asyncio.run(run())


def test_where_lines_stay_one_is_written_now_and_then(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, out = Clock(monkeypatch), io.StringIO()

    def steps(run: Runner, show: Progress) -> None:
        for _ in range(61):
            show(run)
            clock.now += 1
            run.there["comparison"] += 2
        run.there.update({"comparison": 1200 - run.there["comparison"], "pattern": 8})
        run.over = True
        show(run)

    watched(ledger, steps, out)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1 + 60 // QUIET_INTERVAL_SECONDS + 1 and all(
        said.startswith("  comparison ") for said in lines
    )
    assert lines[-1] == "  comparison 1,200/1,200 · pattern 8/8 · $0.00 of $10.00" and lines[-2] != lines[-1]
    assert "2.0 rows/s" in lines[2] and "\r" not in out.getvalue() and "\x1b" not in out.getvalue()


def test_the_rate_is_that_of_the_last_half_minute(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, out = Clock(monkeypatch), io.StringIO()

    def steps(run: Runner, show: Progress) -> None:
        run.there["comparison"] = 500
        for second in range(int(2 * WINDOW_SECONDS) + 1):
            show(run)
            clock.now += 1
            run.there["comparison"] += 5 if second >= WINDOW_SECONDS else 1

    watched(ledger, steps, out)
    assert "rows/s" not in out.getvalue().splitlines()[0]
    assert "5.0 rows/s" in out.getvalue().splitlines()[-1]


@pytest.fixture
def terminal() -> Iterator["Callable[[int], Terminal]"]:
    made: list[Terminal] = []

    def of(columns: int) -> Terminal:
        made.append(Terminal(columns))
        return made[-1]

    yield of
    for opened in made:
        opened.close()


class Terminal:
    """A terminal of so many columns: a pseudo-terminal of the system, and what would stand on its screen."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")
        self._rows: list[list[str]] = [[]]
        self._at = (0, 0)

    def close(self) -> None:
        self.stream.close()
        os.close(self._ours)

    def screen(self) -> list[str]:
        """The rows, after everything that was written so far is drawn."""
        self.stream.flush()
        os.set_blocking(self._ours, False)
        data = b""
        while chunk := self._read():
            data += chunk
        for sign, up in re.findall(r"(\x1b\[(?:(\d+)A|J)|[\s\S])", data.decode()):
            self._draw(sign, int(up or 0))
        return ["".join(row).rstrip() for row in self._rows]

    def _read(self) -> bytes:
        try:
            return os.read(self._ours, 65536)
        except BlockingIOError:
            return b""

    def _draw(self, sign: str, up: int) -> None:
        row, column = self._at
        if sign == "\r":
            column = 0
        elif sign == "\n":
            row += 1
        elif up:
            row -= up
        elif sign == "\x1b[J":
            self._rows = [*self._rows[:row], self._rows[row][:column]]
        else:
            row, column = (row + 1, 0) if column == self.columns else (row, column)
            self._rows += [[]] * (row + 1 - len(self._rows))
            self._rows[row] = [
                *self._rows[row][:column].copy(),
                *" " * (column - len(self._rows[row])),
                sign,
                *self._rows[row][column + 1 :],
            ]
            column += 1
        self._rows += [[]] * (row + 1 - len(self._rows))
        self._at = row, column


@pytest.mark.parametrize("columns", [12, 20, 52, 53, 54, 200])
def test_on_a_terminal_of_any_width_one_line_is_drawn_over_and_over(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, terminal: Callable[[int], Terminal], columns: int
) -> None:
    """Shorter texts leave nothing of longer ones, and what stood above stays."""
    clock, place = Clock(monkeypatch), terminal(columns)
    shown = []

    def steps(run: Runner, show: Progress) -> None:
        place.stream.write("before\n")
        for there in (0, 999, 1000, 5, 1150):
            run.there["comparison"] = there
            show(run)
            shown.append((place.screen(), progress_line(run, show._rate())))
            clock.now += 1
        run.there.update({"comparison": 50, "pattern": 8})
        run.over = True
        show(run)
        place.stream.write("after\n")
        shown.append((place.screen(), progress_line(run, show._rate())))

    watched(ledger, steps, place.stream)

    def drawn(text: str) -> list[str]:
        return [text[i : i + columns].rstrip() for i in range(0, len(text), columns)]

    for screen, text in shown[:-1]:
        assert screen == ["before", *drawn(text)]
    last, text = shown[-1]
    assert last == ["before", *drawn(text), "after", ""] and "1,200/1,200" in text


def offline(**given: Any) -> Generation:
    return Generation(**{"providers": [{"kind": "offline"}], "rows": 16, **given})


def test_a_run_says_once_that_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Callable[[int], Terminal]
) -> None:
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path))
    out, place = io.StringIO(), terminal(200)
    generate("lines", offline(), Progress(out))
    whole = "comparison 4/4 · math_verification 4/4 · number_property 4/4 · pattern 4/4 · $0.00 of $10.00"
    assert out.getvalue().splitlines().count(f"  {whole}") == 1 and out.getvalue().endswith(f"  {whole}\n")
    generate("terminal", offline(), Progress(place.stream))
    assert place.screen() == [whole, ""]


def test_a_run_that_is_stopped_says_by_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Callable[[int], Terminal]
) -> None:
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path))
    place = terminal(400)
    with FakeLLM() as fake:
        fake.does(always="401")
        model = {"kind": "openai", "name": "mine", "model": "m", "base_url": f"{fake.url}/v1", "key_env": None}
        section = offline(providers=[{**model, "price": {"input": 0, "output": 0}}])
        done = generate("stopped", section, Progress(place.stream))
    assert done.stopped == "mine was stopped: its key was refused (authentication_error)"
    assert done.stopped in place.screen()[0] and place.screen()[0].startswith("comparison 0/4 · ")


def test_standard_error_is_where_it_goes(capsys: pytest.CaptureFixture[str], ledger: Ledger) -> None:
    watched(ledger, lambda run, show: show(run), None)
    captured = capsys.readouterr()
    assert captured.err.startswith("  comparison 0/1,200") and not captured.out
