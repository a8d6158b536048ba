"""What a signal ends has ended before anybody hears of the signal."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from credence.generation import signals


class Heard(BaseException):
    """What a handler such as ZenML's raises, wherever the program is."""


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What happened, in order; a signal raises."""
    happened: list[str] = []

    def handler(number: int, _: object) -> None:
        happened.append(signal.Signals(number).name)
        raise Heard

    before = {number: signal.signal(number, handler) for number in signals.ENDING}
    yield happened
    for number, earlier in before.items():
        assert signal.signal(number, earlier) is handler, "the handler of before is there again"


async def _worked(happened: list[str], *numbers: int) -> None:
    """Two tasks of which one never rests, and signals on the way."""

    async def busy() -> None:
        while True:
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(busy()), asyncio.create_task(asyncio.sleep(60))]
    for number in numbers:
        os.kill(os.getpid(), number)
    try:
        await asyncio.wait(tasks, timeout=60 if numbers else 0)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        happened.append("ended")


@pytest.mark.parametrize("number", signals.ENDING)
def test_the_tasks_end_before_the_handler_hears(number: signal.Signals, heard: list[str]) -> None:
    with pytest.raises(Heard):
        signals.run_until_signalled(_worked(heard, number))
    assert heard == ["ended", number.name]


def test_who_asks_twice_is_heard_once(heard: list[str]) -> None:
    with pytest.raises(Heard):
        signals.run_until_signalled(_worked(heard, signal.SIGINT, signal.SIGTERM))
    assert heard[-1] == "SIGINT" and len(heard) == 2


def test_without_a_signal_nothing_is_heard(heard: list[str]) -> None:
    signals.run_until_signalled(_worked(heard))
    assert heard == ["ended"]


def test_an_error_of_the_coroutine_is_its_callers(heard: list[str]) -> None:
    async def fails() -> None:
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        signals.run_until_signalled(fails())
    with pytest.raises(asyncio.CancelledError):
        signals.run_until_signalled(_cancelled())
    assert heard == []


async def _cancelled() -> None:
    raise asyncio.CancelledError


def test_what_is_ignored_stays_ignored(heard: list[str]) -> None:
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals.run_until_signalled(_ignoring(heard))
    assert signal.signal(signal.SIGINT, handler) is signal.SIG_IGN and heard == ["went on"]


async def _ignoring(happened: list[str]) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.01)
    happened.append("went on")


def test_another_thread_has_no_signals_and_needs_none(heard: list[str]) -> None:
    with ThreadPoolExecutor() as pool:
        pool.submit(signals.run_until_signalled, _worked(heard)).result()
    assert heard == ["ended"]
