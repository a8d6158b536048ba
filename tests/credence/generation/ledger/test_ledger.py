"""A ledger remembers what was answered, what it cost and what is left to do."""

from pathlib import Path

import pyarrow as pa
import pytest

from credence.core.canonical_json import json_digest
from credence.core.paths import state_dir
from credence.generation.ledger import AttemptRecord, Ledger, LedgerReader, RejectedItem, Slot, ledger_folder, slots
from credence.generation.llm import work_item
from credence.generation.llm.retry import ReplyAction
from tests.support.ledger_cases import (
    QUOTAS,
    answered,
    asked,
    fill,
    opened,
    record,
    refused,
    reply,
    request,
    result,
    spec,
)


def by_label(table: pa.Table) -> dict[tuple[str, str], dict[str, int]]:
    return {(row.pop("category"), row.pop("label")): row for row in table.to_pylist()}


def test_slots_are_known_before_any_call() -> None:
    made = slots("run", {"b": {"yes": 2}, "a": {"no": 1, "yes": 1}})
    assert [(s.ordinal, s.category, s.label) for s in made] == [
        (0, "a", "no"),
        (0, "a", "yes"),
        (0, "b", "yes"),
        (1, "b", "yes"),
    ]
    assert made[0].slot_id == json_digest(["run", "a", "no", 0])
    assert len({s.slot_id for s in made + slots("other", {"a": {"no": 1}})}) == 5


def test_lies_with_the_task_and_its_specification() -> None:
    assert ledger_folder("reasoning", spec()) == state_dir() / "reasoning" / "ledger" / json_digest(spec())
    assert ledger_folder("reasoning", spec()) != ledger_folder("reasoning", spec(seed=2))


def test_what_is_done_is_not_to_do_again(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        assert len(due) == 16 and [s.ordinal for s in due] == sorted(s.ordinal for s in due)
        settled = ledger.record([result(s, s.slot_id) for s in due[:5]])
        assert settled.kept == [s.slot_id for s in due[:5]]
        assert ledger.due() == due[5:]
    again, left = opened(tmp_path)
    with again:
        assert left == due[5:]
        assert again.results()["slot_id"].to_pylist() == sorted(s.slot_id for s in due[:5])
        assert LedgerReader(tmp_path).due() == left and LedgerReader(tmp_path).spec() == spec()


def test_a_row_comes_back_as_it_was(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        hard = record(due[0], "c", question="é\u2028\x00'; drop table result; --", answer_verified=False)
        ledger.record([result(due[0], "c").model_copy(update={"record": hard})])
        assert ledger.results().to_pylist() == [hard.model_dump()]


def test_an_answer_that_was_paid_for_is_found_again(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        assert ledger.cached(asked(due[0]).id) is None
        bad = reply("x", kind="http", status=500, error_type="server_error")
        good = reply("é", raw=b"\xff\x00", headers={"a": "b"}, latency=0.25, provider_id="r1")
        ledger.record(attempts=[AttemptRecord(request=request("q"), reply=bad)])
        assert ledger.cached(request("q").id) is None
        ledger.record(attempts=[AttemptRecord(request=request("q"), reply=good)])
    with LedgerReader(tmp_path) as reader:
        assert reader.cached(request("q").id) == good
        assert reader.exchanges(request("q").id) == [(request("q"), bad), (request("q"), good)]
        assert reader.cached(request("q", sample=1).id) is None


def test_every_call_is_told(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        ledger.record(attempts=[answered(due[0]), answered(due[1]), answered(due[0], cost=0)])
        told = ledger.attempts().to_pylist()
    assert [(t["slot"], t["number"], t["cost"]) for t in told] == [
        (due[0].slot_id, 0, 7),
        (due[1].slot_id, 0, 7),
        (due[0].slot_id, 1, 0),
    ]
    assert {(t["kind"], t["status"], t["input"], t["output"], t["model"]) for t in told} == {("ok", 200, 10, 5, "m")}


def test_takes_what_the_dispatcher_tells(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    made = work_item.CallAttempt(due[0].slot_id, 3, request("q"), reply("?"), ReplyAction.RETRY, "timeout", 11)
    with ledger:
        ledger.note(AttemptRecord.of(made))
        ledger.record()
        (told,) = ledger.attempts().to_pylist()
        assert (told["slot"], told["verdict"], told["reason"]) == (due[0].slot_id, ReplyAction.RETRY.value, "timeout")
        assert ledger.spent().settled == 11 and ledger.cached(request("q").id) == reply("?")


def test_a_call_that_was_reserved_for_is_paid_for_once(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        held = ledger.reserve(request("q").id, 100)
        made = work_item.CallAttempt(due[0].slot_id, 1, request("q"), reply(), ReplyAction.ACCEPT, "ok", 11, held)
        ledger.note(AttemptRecord.of(made))
        ledger.record()
        assert (ledger.spent().settled, ledger.spent().reserved) == (11, 0)


def test_money_is_counted_exactly_and_what_a_kill_left_held_too(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    held, lost, unused = (ledger.reserve(asked(s).id, 100) for s in due[:3])
    ledger.release(unused)
    assert ledger.spent().total == 200
    ledger.record(attempts=[answered(due[0], cost=10**15).model_copy(update={"reservation": held})])
    assert (ledger.spent().settled, ledger.spent().reserved) == (10**15, 100)
    ledger.close()
    with LedgerReader(tmp_path) as reader:
        assert reader.spent().total == 10**15 + 100 and lost != held


def test_what_is_noted_precedes_what_is_recorded_later(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        for slot in due:
            ledger.note(answered(slot))
        ledger.record([result(due[0], "c")])
        assert ledger.spent().settled == 7 * len(due)


def test_no_noted_failure_is_swallowed(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    ledger._writing.execute("create trigger t before insert on attempt begin select raise(abort, 'no'); end")
    ledger.note(answered(due[0]))
    with pytest.raises(Exception, match="no"):
        ledger.close()
    Ledger(tmp_path, spec()).close()


def test_a_quarantined_attempt_says_why_and_leaves_the_slot_to_do(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        settled = ledger.record(quarantine=[refused(due[0])])
        assert settled.again == [due[0].model_copy(update={"attempt": 1})]
        told = ledger.quarantined().to_pylist()
        assert [(t["slot_id"], t["reason"], t["detail"], t["attempt"]) for t in told] == [
            (due[0].slot_id, "grammar", "1 / 0", 0)
        ]
        assert settled.again[0] in ledger.due()


def test_after_a_final_quarantine_a_slot_waits_until_it_is_reopened(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        assert [s.slot_id for s in ledger.record(quarantine=[refused(due[0], final=True)]).given_up] == [due[0].slot_id]
        assert ledger.due() == due[1:]
        late = ledger.record([result(due[0].model_copy(update={"attempt": 1}), "c")])
        assert late.late == [due[0].slot_id]
        assert (ledger.reopen(), ledger.reopen()) == (1, 0)
        again = next(s for s in ledger.due() if s.slot_id == due[0].slot_id)
        assert ledger.record([result(again, "c")]).kept == [due[0].slot_id]


def test_after_twenty_attempts_a_slot_is_given_up_and_counted(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path, {"a": {"yes": 2}})
    with ledger:
        first, last = sorted(due, key=lambda s: s.slot_id)
        ledger.record([result(first, "same")])
        for attempt in range(20):
            slot = last.model_copy(update={"attempt": attempt})
            settled = ledger.record([result(slot, "same")])
            assert bool(settled.again) == (attempt < 19)
        assert settled.given_up[0].slot_id == last.slot_id and ledger.due() == []
        assert by_label(ledger.counts()) == {
            ("a", "yes"): {"quota": 2, "committed": 1, "given_up": 1, "duplicates": 20, "quarantined": 0}
        }


def test_the_first_row_of_a_slot_stays(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        ledger.record([result(due[0], "first")])
        late = ledger.record([result(due[0], "second")], [answered(due[0])], [refused(due[0])])
        assert late.late == [due[0].slot_id] * 2
        assert ledger.results()["content_id"].to_pylist() == ["first"] and ledger.quarantined().num_rows == 0
        assert ledger.spent().settled == 7, "it was paid all the same"


def test_all_or_nothing(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        stranger = Slot(slot_id="nobody", category="a", label="yes", ordinal=0)
        with pytest.raises(ValueError, match="slot nobody is not one of this ledger's"):
            ledger.record([result(due[0], "c"), result(stranger, "d")], [answered(due[0])])
        assert ledger.results().num_rows == 0 and ledger.spent().total == 0 and ledger.due() == due


def test_counts_every_category_and_label(tmp_path: Path) -> None:
    ledger, _ = opened(tmp_path)
    with ledger:
        fill(ledger, 6)
        counts = by_label(ledger.counts())
        assert {k: (c["quota"], c["committed"]) for k, c in counts.items()} == {
            (category, label): (n, n) for category, labels in QUOTAS.items() for label, n in labels.items()
        }
        tried = sum(c["committed"] + c["duplicates"] + c["quarantined"] for c in counts.values())
        assert sum(c["quarantined"] for c in counts.values()) == ledger.quarantined().num_rows
        assert tried <= ledger.attempts().num_rows


def test_a_closed_ledger_takes_nothing_more(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    ledger.close()
    with pytest.raises(ValueError, match="closed"):
        ledger.record(quarantine=[RejectedItem(slot_id=due[0].slot_id, attempt=0, reason="x")])
