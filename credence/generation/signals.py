"""Run an asyncio program so that SIGINT and SIGTERM cancel it cleanly."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterable
from typing import Any

MainCoroutine = Coroutine[Any, Any, None]
ENDING = (signal.SIGINT, signal.SIGTERM)


def run_until_signalled(main: MainCoroutine) -> None:
    """Do as `asyncio.run`, but on a signal cancel the coroutine first and call the existing handler afterwards.

    Existing handlers may raise, as ZenML's do. Raised inside the event loop, such an exception would lose the task
    that was about to run, and the loop would wait for it forever.
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
