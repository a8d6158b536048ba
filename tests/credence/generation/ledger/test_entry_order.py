"""Whatever is recorded in whatever order, killed and resumed in between: the same data set, each row once."""

import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from credence.generation.ledger import Ledger, Slot
from credence.generation.ledger.records import MAX_ATTEMPTS
from tests.support.ledger_cases import (
    QUOTAS,
    answered,
    asked,
    content,
    fill,
    opened,
    refused,
    reply,
    result,
    settle,
    spec,
)

CONTENTS = 5


def expected(due: list[Slot], contents: int) -> dict[str, str]:
    """content -> slot, by the textbook: free slots propose in turn, and a content keeps the smallest that asked."""
    held: dict[str, Slot] = {}
    free = list(due)
    while free:
        slot = free.pop()
        if slot.attempt == MAX_ATTEMPTS:
            continue
        wanted = content(slot, contents)
        if wanted is not None:
            rivals = [s for s in (held.get(wanted), slot) if s]
            held[wanted] = min(rivals, key=lambda s: s.slot_id)
            rivals.remove(held[wanted])
        else:
            rivals = [slot]
        free += [s.model_copy(update={"attempt": s.attempt + 1}) for s in rivals]
    return {wanted: slot.slot_id for wanted, slot in held.items()}


def rows(ledger: Ledger) -> dict[str, str]:
    table = ledger.results()
    return dict(zip(table["content_id"].to_pylist(), table["slot_id"].to_pylist(), strict=True))


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), contents=st.integers(4, 9), quota=st.integers(1, 5))
def test_the_order_of_answers_does_not_matter(seed: int, contents: int, quota: int) -> None:
    quotas, dice = {"a": {"no": quota, "yes": quota}}, random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        ledger, due = opened(Path(folder), quotas)
        with ledger:
            while left := ledger.due():
                settle(ledger, dice.choice(left), contents)
            assert rows(ledger) == expected(due, contents)


def test_slots_that_find_nothing_new_are_given_up_the_same_way(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path, {"a": {"yes": 6}})
    with ledger:
        fill(ledger, 3)
        assert rows(ledger) == expected(due, 3) and len(rows(ledger)) == 3
        assert ledger.counts().to_pylist()[0]["given_up"] == 3


class Life(RuleBasedStateMachine):
    """Runs that answer in any order, die at any moment, and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.copies = 0
        self.ledger, self.slots = opened(self.folder / "0")
        self.acknowledged: dict[str, Slot] = {}
        self.paid = self.held = 0

    def _due(self, data: st.DataObject) -> Slot:
        return data.draw(st.sampled_from(self.ledger.due()))

    @precondition(lambda self: self.ledger.due())
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        slot = self._due(data)
        settled = settle(self.ledger, slot, CONTENTS)
        self.paid += 7
        assert len(settled.kept + settled.again + settled.given_up) >= 1 and not settled.late

    @precondition(lambda self: self.ledger.due())
    @rule(data=st.data())
    def answer_without_its_row(self, data: st.DataObject) -> None:
        """Paid, and then nothing more is heard of it: the answer is there for the next run."""
        slot = self._due(data)
        self.ledger.note(answered(slot))
        self.paid += 7
        self.acknowledged[asked(slot).id] = slot

    @precondition(lambda self: self.ledger.due())
    @rule(data=st.data(), final=st.booleans())
    def stale(self, data: st.DataObject, final: bool) -> None:
        """What a slow call brings for an attempt that is over changes nothing."""
        slot = self._due(data)
        for attempt in (slot.attempt + 1, slot.attempt - 1):
            if attempt >= 0:
                old = slot.model_copy(update={"attempt": attempt})
                settled = self.ledger.record([result(old, "stale")], quarantine=[refused(old, final=final)])
                assert settled.late == [slot.slot_id] * 2

    @rule()
    def reserve(self) -> None:
        self.ledger.reserve("r", 5)
        self.held += 5

    @rule()
    def crash(self) -> None:
        """What a kill leaves: the files as they lie there, with a transaction half written."""
        self.ledger.record()
        self.ledger._writing.execute("begin")
        self.ledger._writing.execute("delete from result")
        self.copies += 1
        place = self.folder / str(self.copies)
        shutil.copytree(self.ledger.folder, place)
        self.ledger._writing.execute("rollback")
        self.ledger.close()
        self.ledger = Ledger(place, spec())

    @rule()
    def resume(self) -> None:
        self.ledger.close()
        self.ledger, _ = opened(self.ledger.folder)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        found, due = rows(self.ledger), self.ledger.due()
        assert len(set(found.values())) == len(found)
        assert not set(found.values()) & {s.slot_id for s in due}
        assert all(c["quota"] == 4 for c in self.ledger.counts().to_pylist())
        for request_id, slot in self.acknowledged.items():
            self.ledger.record()
            found_again = self.ledger.cached(request_id)
            assert found_again and found_again.text == reply(slot.label).text
        self.ledger.record()
        assert (self.ledger.spent().settled, self.ledger.spent().reserved) == (self.paid, self.held)

    def teardown(self) -> None:
        fill(self.ledger, CONTENTS)
        assert rows(self.ledger) == expected(self.slots, CONTENTS)
        assert len(rows(self.ledger)) == sum(n for labels in QUOTAS.values() for n in labels.values())
        self.ledger.close()
        shutil.rmtree(self.folder)


Life.TestCase.settings = settings(max_examples=8, stateful_step_count=15)
TestLife = Life.TestCase
