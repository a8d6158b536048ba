"""What --dry-run says: slots, calls, tokens, money and time, against figures worked out by hand."""

import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from credence.core.errors import InputError
from credence.core.time_format import format_duration
from credence.generation.dry_run import generation_plan
from credence.generation.generate import generate, generation_run_folder
from credence.generation.ledger import AttemptRecord, Ledger, LedgerReader, RejectedItem, SlotResult, slots
from credence.generation.ledger.database import DATABASE_FILE
from credence.generation.llm.messages import Reply
from credence.generation.llm.prices import dollars, read_on
from credence.generation.section import Generation
from credence.generation.writers.prompts import load_prompt as prompt
from tests.support.ledger_cases import record, request

ARITHMETIC = prompt("arithmetic")
ONE = {"kind": "openai", "name": "one", "model": "m", "key_env": None, "price": {"input": 3, "output": 6}}
OTHER = {**ONE, "name": "other", "model": "n", "price": {"input": 1, "output": 50}}

THINKS = {"thinking_tokens": 5000}


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path))


def section(*providers: dict[str, Any], **given: Any) -> Generation:
    return Generation(**{"providers": list(providers) or [ONE], "items_per_call": 2, **given})


def table(said: str) -> dict[str, list[str]]:
    """Provider -> its cells: calls, tokens in, tokens out, cost, time."""
    lines = said.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("provider "))
    end = next(i for i, line in enumerate(lines) if line.startswith("at most "))
    return {line.split()[0]: re.split(r" {2,}", line)[1:] for line in lines[start + 1 : end]}


def tokens_in(slots: list[dict[str, Any]]) -> int:
    """A third of the bytes of a call, worked out from the template's own text."""
    user = ARITHMETIC.user.replace("$slots", json.dumps(slots, sort_keys=True)).rstrip()
    written = ARITHMETIC.system_message() + user + json.dumps(ARITHMETIC.schema_)
    return math.ceil(len(written.encode()) / 3)


def call(label: bool, *ordinals: int) -> int:
    return tokens_in([{"category": "pattern", "label": label, "ordinal": i, "attempt": 0} for i in ordinals])


def test_a_case_worked_out_by_hand() -> None:
    limited = {**ONE, "limits": {"rpm": 2}}
    said = generation_plan("mine", section(limited, quotas={"pattern": {"no": 3, "yes": 2}}))
    ins = [call(False, 0, 1), call(False, 2), call(True, 0, 1)]
    cost = sum(3000 * n for n in ins) + 6000 * 120 * 5
    assert table(said) == {"one": ["3", f"{sum(ins):,}", "600", dollars(cost), "1m30s"]}
    assert said.splitlines()[:2] == [
        "5 rows wanted, 0 of them in the ledger, 5 to write",
        "  pattern: no 0/3, yes 0/2",
    ]
    money = (
        f"at most {dollars(cost)} whoever answers, without second attempts, by prices of {read_on()}; budget: $10.00"
    )
    assert money in said.splitlines()


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({"rpm": 60, "in_flight": 256}, 3),  # three calls at one a second
        ({"rpm": 6, "in_flight": 256}, 30),
        ({"rpm": None, "in_flight": 1}, 30),  # ten seconds each, one after another
        ({"rpm": 60, "in_flight": 1}, 30),
    ],
)
def test_the_time_is_what_the_tightest_limit_lets_through(limits: dict[str, Any], seconds: int) -> None:
    given = {**ONE, "key_env": "SOME_KEY", "limits": limits}
    [cells] = table(generation_plan("mine", section(given, quotas={"pattern": {"no": 3, "yes": 2}}))).values()
    assert cells[-1] == format_duration(seconds)


def test_a_limit_of_tokens_counts_too() -> None:
    given = {**ONE, "limits": {"rpm": None, "tpm": 1000}}
    total = call(False, 0, 1) + call(False, 2) + call(True, 0, 1) + 600
    [cells] = table(
        generation_plan("mine", section({**given, "key_env": "K"}, quotas={"pattern": {"no": 3, "yes": 2}}))
    ).values()
    assert cells[-1] == format_duration(round(Fraction(60 * total, 1000)))


def test_offline_costs_nothing_and_takes_no_time() -> None:
    said = generation_plan("mine", section({"kind": "offline"}, rows=40_000, items_per_call=20))
    [cells] = table(said).values()
    assert (cells[0], cells[3], cells[4]) == ("2,000", "$0.00", "–")
    assert said.startswith("40,000 rows wanted, 0 of them in the ledger, 40,000 to write\n")
    assert said.count("no 0/5,000, yes 0/5,000") == 4


def test_providers_take_turns_and_the_dearest_bounds_the_whole() -> None:
    """Who answers more is not known before: the sum is what it would be if the dearest answered everything."""
    said = generation_plan("mine", section(ONE, OTHER, quotas={"pattern": {"no": 3, "yes": 2}}))
    ins = [call(False, 0, 1), call(True, 0, 1), call(False, 2)]
    cells = table(said)
    assert [cells[name][0] for name in ("one", "other")] == ["2", "1"]
    assert cells["one"][3] == dollars(3000 * (ins[0] + ins[2]) + 6000 * 120 * 3)
    assert cells["other"][3] == dollars(1000 * ins[1] + 50_000 * 120 * 2)
    each = [(n, 120 * items) for n, items in zip(ins, (2, 2, 1), strict=True)]
    most = sum(max(3000 * n + 6000 * out, 1000 * n + 50_000 * out) for n, out in each)
    assert f"at most {dollars(most)} whoever answers" in said and "calls, taking turns" in said


def test_examples_take_a_call_to_write_and_one_for_every_other_that_has_to_agree() -> None:
    labels = {"spam": "nobody asked for it", "ham": "all others"}
    third = {**ONE, "name": "third", "model": "o"}
    for agreement, calls in ((2, 8), (3, 12)):
        given = section(ONE, OTHER, third, topic="mails", labels=labels, rows=8, agreement=agreement)
        cells = table(generation_plan("mine", given))
        assert sum(int(row[0]) for row in cells.values()) == calls
        written = 4 * 2 * prompt("examples").max_tokens + (calls - 4) * 2 * prompt("opinion").max_tokens
        assert sum(int(row[2].replace(",", "")) for row in cells.values()) == written


def test_the_budget_is_told_and_whether_it_may_not_do() -> None:
    quotas = {"pattern": {"no": 3, "yes": 2}}
    cost = 3000 * (call(False, 0, 1) + call(False, 2) + call(True, 0, 1)) + 6000 * 600
    enough, short = (f"budget: ${cost / 1e9:,.2f}", ", which may not pay for all of it")
    assert short not in generation_plan("mine", section(quotas=quotas, budget_usd=(cost + 1) / 1e9))
    assert enough + short in generation_plan("mine", section(quotas=quotas, budget_usd=(cost - 1) / 1e9))
    assert "budget: no limit" in generation_plan("mine", section(quotas=quotas, budget_usd=None))


def filled(given: Generation) -> Path:
    """A ledger with a row, open places, two given up, one refused, and money spent."""
    spec = given.spec([ARITHMETIC.id])
    folder = generation_run_folder("mine", given)
    with Ledger(folder, spec) as ledger:
        wanted = ledger.due_slots(slots(ledger.spec_id, given.wanted()))
        row, _, *given_up, refused, _ = [slot for slot in wanted if slot.label == "no"]
        ledger.record([SlotResult(record=record(row, "a"), attempt=0)])
        for slot in given_up:
            ledger.record(quarantine=[RejectedItem(slot_id=slot.slot_id, attempt=0, reason="refusal", final=True)])
        ledger.record(quarantine=[RejectedItem(slot_id=refused.slot_id, attempt=0, reason="claim", request_id="r")])
        paid = Reply(kind="ok", text="{}")
        ledger.record(attempts=[AttemptRecord(request=request("x"), reply=paid, cost=2_500_000_000)])
        assert [c["given_up"] for c in ledger.counts().to_pylist()] == [2, 0]
    return folder


def test_what_is_in_the_ledger_is_not_planned_again_and_what_was_given_up_is() -> None:
    given = section(quotas={"pattern": {"no": 6, "yes": 2}}, budget_usd=2.5)
    folder = filled(given)
    said = generation_plan("mine", given)
    assert said.startswith("8 rows wanted, 1 of them in the ledger, 7 to write\n  pattern: no 1/6, yes 0/2\n")
    # [1] and [5] alone, since their neighbours are not due; the three that failed, each alone; [0, 1] of the others
    assert table(said)["one"][0] == "6"
    assert "budget: $2.50, $2.50 of it spent, which may not pay for all of it" in said
    assert said.splitlines()[-1] == f"ledger: {folder}"


def test_items_refused_together_are_planned_together_as_they_will_be_asked() -> None:
    given = section(quotas={"pattern": {"no": 4, "yes": 4}}, items_per_call=4)
    with Ledger(generation_run_folder("mine", given), given.spec([ARITHMETIC.id])) as ledger:
        wanted = ledger.due_slots(slots(ledger.spec_id, given.wanted()))
        refused = [
            RejectedItem(slot_id=s.slot_id, attempt=0, reason="grammar", request_id="r")
            for s in wanted
            if s.label == "no"
        ]
        ledger.record(quarantine=refused)
    assert table(generation_plan("mine", given))["one"][0] == "2"


def test_a_plan_is_what_a_run_then_does_and_afterwards_there_is_nothing_left() -> None:
    given = Generation(providers=[{"kind": "offline"}], rows=120, items_per_call=7)
    before = table(generation_plan("mine", given))["offline"]
    done = generate("mine", given)
    with LedgerReader(done.folder) as reader:
        assert [before[0], before[3]] == [str(reader.attempts().num_rows), "$0.00"]
    after = generation_plan("mine", given)
    assert after.startswith("120 rows wanted, 120 of them in the ledger, 0 to write\n")
    assert table(after)["offline"] == ["0", "0", "0", "$0.00", "–"]
    assert after.splitlines()[-1] == f"ledger: {done.folder}"


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    generation_plan("mine", section())
    assert not list(tmp_path.iterdir())


def test_a_ledger_that_was_killed_at_its_very_beginning_holds_nothing() -> None:
    given = section(rows=8)
    with Ledger(generation_run_folder("mine", given), given.spec([ARITHMETIC.id])):
        pass
    assert generation_plan("mine", given).startswith("8 rows wanted, 0 of them in the ledger, 8 to write\n")
    (generation_run_folder("mine", given) / DATABASE_FILE).write_bytes(b"")
    assert generation_plan("mine", given).startswith("8 rows wanted, 0 of them in the ledger, 8 to write\n")


def test_a_ledger_that_cannot_be_read_is_no_empty_one() -> None:
    given = section(rows=8)
    generation_run_folder("mine", given).mkdir(parents=True)
    (generation_run_folder("mine", given) / DATABASE_FILE).write_bytes(b"this is no database, " * 100)
    with pytest.raises(InputError, match="this is no ledger; move the file away"):
        generation_plan("mine", given)


def test_keys_that_are_missing_are_named_and_those_that_are_there_are_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY_OF_ONE", "sk-very-secret-0123456789")
    monkeypatch.delenv("KEY_OF_OTHER", raising=False)
    said = generation_plan(
        "mine", section({**ONE, "key_env": "KEY_OF_ONE"}, {**OTHER, "key_env": "KEY_OF_OTHER"}, rows=8)
    )
    assert "sk-very-secret" not in said and "KEY_OF_ONE" not in said
    [missing] = [line for line in said.splitlines() if line.startswith("missing: ")]
    assert missing.startswith("missing: provider 'other' takes its key from the environment variable KEY_OF_OTHER")
    monkeypatch.setenv("KEY_OF_ONE", "sk-very secret")
    with_a_space = generation_plan("mine", section({**ONE, "key_env": "KEY_OF_ONE"}, rows=8))
    assert "KEY_OF_ONE holds a space" in with_a_space and "sk-very" not in with_a_space


def test_an_unknown_price_is_told_before_anything_else() -> None:
    with pytest.raises(InputError, match="no price is known for the model 'm'"):
        generation_plan("mine", section({k: v for k, v in ONE.items() if k != "price"}))


def test_what_a_reasoning_model_thinks_is_foreseen() -> None:
    wanted = {"pattern": {"no": 2, "yes": 2}}
    plain, thinking = (
        table(generation_plan("mine", section({**ONE, **more}, quotas=wanted)))["one"] for more in ({}, THINKS)
    )
    assert plain[0] == thinking[0] == "2" and plain[1] == thinking[1]
    assert [int(cells[2].replace(",", "")) for cells in (plain, thinking)] == [480, 10480]
