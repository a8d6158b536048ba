"""Clock and condition variable for asyncio policies."""

import asyncio
import time
from collections.abc import Callable

Clock = Callable[[], float]


def loop_time() -> float:
    """Return the running event loop's time in seconds; outside a loop, `time.monotonic()`, which is the same clock."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


class Notifier:
    """Wakes all waiting tasks at each notification."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify_all(self) -> None:
        """Wake all tasks that wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for the next notification, at most this many seconds (None: no limit)."""
        event = self._event
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
