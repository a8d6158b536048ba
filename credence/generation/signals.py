"""A loop of tasks that a signal ends in order, whoever handles the signal."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterable
from typing import Any

MainCoroutine = Coroutine[Any, Any, None]
ENDING = (signal.SIGINT, signal.SIGTERM)


def run_until_signalled(main: MainCoroutine) -> None:
    """As asyncio.run, but a signal first ends the coroutine and only then meets the handler that was there.

    A handler that raises, as ZenML's do, could raise between two steps of the loop: the task that was to go on next
    would be forgotten, and its end awaited for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(main)
    handlers = {number: signal.getsignal(number) for number in ENDING}
    before = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
    came: list[int] = []
    try:
        asyncio.run(_until_signalled(main, before, came))
    except asyncio.CancelledError:
        if not came:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


async def _until_signalled(main: MainCoroutine, numbers: Iterable[int], came: list[int]) -> None:
    task = asyncio.ensure_future(main)

    def end(number: int) -> None:
        came.append(number)
        task.cancel()

    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    await task
