"""Which slots share a call: the same ones whatever the order, in one process and in one that goes on after a kill."""

import random
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.generation.ledger import RejectedItem, Slot, SlotResult, slots
from credence.generation.llm.messages import ReplyKind
from credence.generation.writers.batching import RejectedItems, SlotBatch, make_batches, rejected_items
from credence.generation.writers.reply_parsing import REJECT_REASONS, reject
from tests.support.ledger_cases import opened, record

QUOTAS = {"comparison": {"no": 7, "yes": 8}, "pattern": {"no": 7, "yes": 5}}
SLOTS = slots("spec", QUOTAS)


def named(packs: list[SlotBatch]) -> list[tuple[tuple[str, int], ...]]:
    return [tuple((slot.slot_id, slot.attempt) for slot in pack.slots) for pack in packs]


@st.composite
def due(draw: st.DrawFn) -> tuple[list[Slot], RejectedItems]:
    """Some slots, each at some attempt, after refusals that left some of them together."""
    chosen = draw(st.lists(st.sampled_from(SLOTS), unique_by=lambda slot: slot.slot_id))
    tried = [slot.model_copy(update={"attempt": draw(st.integers(0, 2))}) for slot in chosen]
    calls = {(s.slot_id, s.attempt - 1): draw(st.sampled_from(["call 1", "call 2"])) for s in tried if s.attempt}
    return tried, {place: call for place, call in calls.items() if draw(st.booleans())}


@given(due(), st.integers(1, 9), st.randoms())
def test_packs_part_the_slots_that_are_due_whatever_their_order(
    given: tuple[list[Slot], RejectedItems], size: int, chance: random.Random
) -> None:
    slots, refused = given
    packs = make_batches(slots, size, refused)
    assert Counter(slot.slot_id for pack in packs for slot in pack.slots) == Counter(s.slot_id for s in slots)
    for pack in packs:
        assert 1 <= len(pack.slots) <= size
        assert {(s.category, s.label, s.attempt) for s in pack.slots} == {
            (pack.category, pack.label, pack.slots[0].attempt)
        }
    shuffled = chance.sample(slots, len(slots))
    assert named(make_batches(shuffled, size, refused)) == named(packs)


@given(due(), st.integers(1, 9))
def test_what_was_not_refused_together_is_tried_alone(given: tuple[list[Slot], RejectedItems], size: int) -> None:
    slots, refused = given
    for pack in make_batches(slots, size, refused):
        if len(pack.slots) > 1 and pack.slots[0].attempt:
            assert len({refused[slot.slot_id, slot.attempt - 1] for slot in pack.slots}) == 1


@given(st.integers(1, 30), st.sets(st.sampled_from([s.slot_id for s in SLOTS])))
def test_a_first_call_holds_the_same_slots_however_many_have_their_row(size: int, done: set[str]) -> None:
    """So that what a killed run asked is asked again in the same words, and found in the ledger."""
    whole = {slot.slot_id: pack for pack in make_batches(SLOTS, size, {}) for slot in pack.slots}
    for pack in make_batches([s for s in SLOTS if s.slot_id not in done], size, {}):
        before = whole[pack.slots[0].slot_id].slots
        assert [s for s in before if s.slot_id not in done] == list(pack.slots)


def test_the_first_calls_of_a_plan() -> None:
    shape = [(p.category, p.label, [s.ordinal for s in p.slots]) for p in make_batches(SLOTS, 5, {})]
    assert shape == [
        ("comparison", "no", [0, 1, 2, 3, 4]),
        ("comparison", "yes", [0, 1, 2, 3, 4]),
        ("pattern", "no", [0, 1, 2, 3, 4]),
        ("pattern", "yes", [0, 1, 2, 3, 4]),
        ("comparison", "no", [5, 6]),
        ("comparison", "yes", [5, 6, 7]),
        ("pattern", "no", [5, 6]),
    ]


def test_a_pack_is_itself_and_no_other() -> None:
    one, other = make_batches(SLOTS[:1], 5, {})[0], make_batches(SLOTS[:1], 5, {})[0]
    assert one != other and one.tallies is not other.tallies


def test_no_reason_of_an_item_is_a_reason_of_a_call() -> None:
    """What one call failed to fill together goes on together; what was not answered at all is tried alone."""
    of_calls = {*get_args(ReplyKind), "json", "schema"}
    assert not of_calls & set(REJECT_REASONS)


def outcome(slot: Slot, call: str, chance: random.Random) -> SlotResult | RejectedItem:
    """A row, of so few contents that slots take them from each other, or an item that is refused."""
    if chance.random() < 0.4:
        return reject(slot, chance.choice(sorted(REJECT_REASONS)), call)
    content = f"{slot.category} {slot.label} {chance.randrange(12)}"
    return SlotResult(record=record(slot, content, request_id=call), attempt=slot.attempt)


@pytest.mark.parametrize("seed", range(12))
def test_a_run_that_goes_on_makes_the_packs_of_the_one_that_was_killed(tmp_path: Path, seed: int) -> None:
    chance, size, calls = random.Random(seed), 1 + seed % 6, 0
    ledger, due = opened(tmp_path, QUOTAS)
    waiting = make_batches(due, size, {})
    while waiting:
        pack = waiting.pop(chance.randrange(len(waiting)))
        calls += 1
        if chance.random() < 0.2:
            final = len(pack.slots) == 1
            entries: list[SlotResult | RejectedItem] = [
                RejectedItem(slot_id=s.slot_id, attempt=s.attempt, reason="json", request_id=f"{calls}", final=final)
                for s in pack.slots
            ]
        else:
            entries = [outcome(slot, f"{calls}", chance) for slot in pack.slots]
        refused = [entry for entry in entries if isinstance(entry, RejectedItem)]
        settled = ledger.record([entry for entry in entries if isinstance(entry, SlotResult)], (), refused)
        items = {(r.slot_id, r.attempt): r.request_id for r in refused if r.reason in REJECT_REASONS}
        waiting += make_batches(settled.again, size, items)
        after_a_kill = make_batches(ledger.due(), size, rejected_items(ledger))
        assert sorted(named(after_a_kill)) == sorted(named(waiting))
    counts = ledger.counts().to_pylist()
    assert calls > len(make_batches(due, size, {})) and all(
        c["committed"] + c["given_up"] == c["quota"] for c in counts
    )
    ledger.close()
