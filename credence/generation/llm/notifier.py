"""Time and waiting: one clock for every policy, and a bell that wakes whoever waits for a change."""

import asyncio
import time
from collections.abc import Callable

Clock = Callable[[], float]


def loop_time() -> float:
    """The monotonic time by which the running event loop sleeps; a thread that only watches has the same one."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


class Notifier:
    """Wakes all who wait, each time it rings."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify_all(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Return at the next ring, or after so many seconds."""
        event = self._event
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
