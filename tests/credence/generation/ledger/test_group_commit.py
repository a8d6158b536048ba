"""Many writers share one transaction, and one wait for the disk."""

import asyncio
from pathlib import Path

import pytest

from credence.generation.ledger import ApplyResult, Ledger, LedgerReader, Slot, slots
from credence.generation.ledger.apply_entry import reopen_slots
from credence.generation.ledger.group_commit import MAX_ROWS
from tests.support.ledger_cases import answered, asked, refused, result, spec

QUOTAS = {"a": {"yes": 600}}


class Counted:
    """A ledger and how many rows each of its commits had."""

    def __init__(self, folder: Path) -> None:
        self.commits: list[int] = []
        self.ledger = Ledger(folder, spec(QUOTAS), on_commit=self._committed)
        self.due = self.ledger.due_slots(slots(self.ledger.spec_id, QUOTAS))
        self.commits.clear()

    def _committed(self, seconds: float, rows: int) -> None:
        assert seconds > 0
        self.commits.append(rows)


async def together(ledger: Ledger, due: list[Slot]) -> list[ApplyResult]:
    return await asyncio.gather(*(ledger.record_async([result(s, s.slot_id)], [answered(s)]) for s in due))


def test_rows_that_come_together_are_committed_together(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    with counted.ledger as ledger:
        settled = asyncio.run(together(ledger, counted.due))
        assert [s.kept for s in settled] == [[s.slot_id] for s in counted.due]
        assert sum(counted.commits) == 1200 and max(counted.commits) <= MAX_ROWS
        assert len(counted.commits) < 100, "600 waits for the disk became a few"


def test_one_alone_does_not_wait_for_others(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    with counted.ledger as ledger:
        for slot in counted.due[:3]:
            ledger.record([result(slot, slot.slot_id)])
        assert counted.commits == [1, 1, 1]


def test_who_is_wrong_fails_alone(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    stranger = Slot(slot_id="nobody", category="a", label="yes", ordinal=0)

    async def both() -> tuple[ApplyResult | BaseException, ...]:
        with counted.ledger as ledger:
            right = ledger.record_async([result(counted.due[0], "c")])
            wrong = ledger.record_async([result(stranger, "d")], [answered(stranger)])
            more = ledger.record_async(quarantine=[refused(counted.due[1])])
            return await asyncio.gather(right, wrong, more, return_exceptions=True)

    kept, error, again = asyncio.run(both())
    assert isinstance(kept, ApplyResult) and kept.kept == [counted.due[0].slot_id]
    assert isinstance(error, ValueError) and "nobody" in str(error)
    assert isinstance(again, ApplyResult) and again.again[0].attempt == 1
    with LedgerReader(tmp_path) as reader:
        assert reader.results().num_rows == 1 and reader.attempts().num_rows == 0


def test_cancelling_whoever_waits_does_not_lose_what_was_paid(tmp_path: Path) -> None:
    counted = Counted(tmp_path)

    async def cancelled() -> None:
        tasks = [
            asyncio.create_task(counted.ledger.record_async([result(s, s.slot_id)], [answered(s)]))
            for s in counted.due[:50]
        ]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(e, asyncio.CancelledError) for e in ends)

    asyncio.run(cancelled())
    counted.ledger._commits.put(reopen_slots, 1, patient=False).result(timeout=60)  # the one who writes lives on
    counted.ledger.close()
    with LedgerReader(tmp_path) as reader:
        assert reader.results().num_rows == 50 and reader.spent().settled == 350


def test_a_meter_that_fails_stops_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fails(seconds: float, rows: int) -> None:
        raise ZeroDivisionError("the meter")

    with Ledger(tmp_path, spec(QUOTAS), on_commit=fails) as ledger:
        due = ledger.due_slots(slots(ledger.spec_id, QUOTAS))
        assert ledger.record([result(due[0], "c")]).kept == [due[0].slot_id]
    assert "a commit of 1 rows was not counted" in caplog.text and "the meter" in caplog.text


def test_closing_commits_what_waits(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    for slot in counted.due:
        counted.ledger.note(answered(slot))
    counted.ledger.close()
    counted.ledger._commits.close()
    with LedgerReader(tmp_path) as reader:
        assert reader.attempts().num_rows == 600


def test_reservations_share_the_wait_too(tmp_path: Path) -> None:
    counted = Counted(tmp_path)

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(counted.ledger.reserve_async(asked(s).id, 3) for s in counted.due))

    with counted.ledger as ledger:
        assert len(set(asyncio.run(all_of_them()))) == 600
        assert ledger.spent().reserved == 1800
        assert len(counted.commits) < 100


def test_a_reservation_that_nobody_waits_for_any_more_is_given_back(tmp_path: Path) -> None:
    counted = Counted(tmp_path)

    async def cancelled() -> None:
        tasks = [asyncio.create_task(counted.ledger.reserve_async(asked(s).id, 3)) for s in counted.due[:20]]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        assert all(isinstance(e, asyncio.CancelledError) for e in await asyncio.gather(*tasks, return_exceptions=True))

    with counted.ledger as ledger:
        asyncio.run(cancelled())
        ledger.record()
        assert ledger.spent().reserved == 0


@pytest.mark.parametrize("rows", [1, 700])
def test_one_entry_is_never_split(tmp_path: Path, rows: int) -> None:
    counted = Counted(tmp_path)
    with counted.ledger as ledger:
        ledger.record([result(s, f"{i}") for i, s in enumerate(counted.due[:rows])], [answered(counted.due[0])] * 100)
        assert counted.commits == [min(rows, 600) + 100]
