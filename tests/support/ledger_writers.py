"""Runs that fill a ledger until they are killed: run with a folder, rows per label, a number of kills and a seed.

A process of its own that forks, so that a run does not begin with seconds of imports.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from credence.generation.ledger import Ledger, Slot
from credence.generation.llm.messages import Reply
from tests.support.ledger_cases import answered, asked, content, opened, refused, result

IN_FLIGHT, LATENCY = 32, 0.02


class Run:
    """Asks, writes, and keeps a diary of every call that was paid and of every row that was acknowledged."""

    def __init__(self, folder: Path, quota: int) -> None:
        self.quotas = {"a": {"no": quota, "yes": quota}}
        self.contents = quota * 3 // 2
        self.diary = os.open(folder / "diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.ledger, self.due = opened(folder / "ledger", self.quotas)
        self.out = folder / "out.parquet"

    async def fill(self) -> None:
        """Until nothing is due; then export."""
        workers = [asyncio.create_task(self._work()) for _ in range(IN_FLIGHT)]
        await asyncio.gather(*workers)
        assert not self.ledger.due()
        self.ledger.export_parquet(self.out)

    async def _work(self) -> None:
        while self.due:
            slot = self.due.pop()
            await self._call(slot)
            found = content(slot, self.contents)
            kept = [result(slot, found)] if found else []
            settled = await self.ledger.record_async(kept, [], [] if found else [refused(slot)])
            for slot_id in settled.kept:
                self._say("kept", slot_id, found or "")
            self.due += settled.again

    async def _call(self, slot: Slot) -> Reply:
        if cached := self.ledger.cached(asked(slot).id):
            return cached
        held = await self.ledger.reserve_async(asked(slot).id, 9)
        self._say("paid", slot.slot_id, str(slot.attempt))  # once it is sent, it has its price
        await asyncio.sleep(LATENCY)
        made = answered(slot).model_copy(update={"reservation": held})
        self.ledger.note(made)
        return made.reply

    def _say(self, *words: str) -> None:
        os.write(self.diary, (" ".join(words) + "\n").encode())


def live(folder: Path, quota: int) -> None:
    """One run, to its end."""
    run = Run(folder, quota)
    ledger: Ledger = run.ledger
    with ledger:
        asyncio.run(run.fill())


def main(folder: Path, quota: int, kills: int, seed: int) -> None:
    """Kill run after run, half of them soon after their start, and let the last one live."""
    dice = random.Random(seed)
    for k in range(kills + 1):
        child = os.fork()
        if child == 0:
            live(folder, quota)
            os._exit(0)
        if k < kills:
            time.sleep(dice.choice([dice.uniform(0, 0.03), dice.uniform(0.03, 0.2)]))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert status == 0, "the last run ended well"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
