"""Statements of arithmetic: the text alone decides, and everything else that a model says must agree with it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.generation.arithmetic import CATEGORIES, Statement, propose_statement
from credence.generation.ledger import Ledger, RejectedItem, Slot, SlotResult, slots
from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Request
from credence.generation.llm.provider import ProviderSpec
from credence.generation.writers.batching import make_batches
from credence.generation.writers.cached_calls import CachedCaller, LlmAnswer, NoAnswer
from credence.generation.writers.prompts import load_prompt
from credence.generation.writers.reply_parsing import REJECT_REASONS
from credence.generation.writers.statements import Statements, reject_reason
from credence.generation.writers.writer import MAX_REPLY_TOKENS, WrittenBatch
from tests.fakes.virtual_clock import ok, played, playing
from tests.support.arithmetic_oracle import is_true

NAMED = [("first", "arithmetic"), ("second", "other")]
TRUE = "417 * 23 = 9591"
CLAIM = {"left": "417", "operator": "*", "right": "23", "result": "9591"}


def slot(category: str = "math_verification", label: str = "yes", ordinal: int = 0, attempt: int = 0) -> Slot:
    place = f"{category} {label} {ordinal}"
    return Slot(slot_id=place, category=category, label=label, ordinal=ordinal, attempt=attempt)


def said(**changes: Any) -> dict[str, Any]:
    return {"category": "math_verification", "question": TRUE, "claim": CLAIM, "answer": True, **changes}


PROPERTY = {
    "category": "number_property",
    "question": "7919 is prime",
    "claim": {"number": "7919", "property": "prime"},
}
WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "right": ("", {}),
    "prose": ("grammar", {"question": "Four hundred and seventeen times 23 is 9591"}),
    "a full stop": ("grammar", {"question": TRUE + "."}),
    "a space at the end": ("grammar", {"question": TRUE + " "}),
    "a space before": ("grammar", {"question": " " + TRUE}),
    "a line break at the end": ("grammar", {"question": TRUE + "\n"}),
    "two spaces": ("grammar", {"question": TRUE.replace(" ", "  ")}),
    "thousands set off": ("grammar", {"question": "417 * 23 = 9,591"}),
    "digits of another script": ("grammar", {"question": "٤١٧ * 23 = 9591"}),
    "digits that are wide": ("grammar", {"question": "\uff14\uff11\uff17 * 23 = 9591"}),
    "another minus": ("grammar", {"question": "417 − 23 = 394"}),
    "code": ("grammar", {"question": "__import__('os').getpid() * 1 = 1"}),
    "nothing by nothing": ("grammar", {"question": "1 / 0 = 1"}),
    "nothing": ("grammar", {"question": ""}),
    "huge": ("grammar", {"question": "9" * 5000 + " is even"}),
    "of another category": ("category", PROPERTY),
    "called another category": ("category", {"category": "comparison"}),
    "called a category nobody knows": ("category", {"category": "maths"}),
    "another claim": ("claim", {"claim": {**CLAIM, "result": "9592"}}),
    "a claim in numbers": ("claim", {"claim": {**CLAIM, "right": 23}}),
    "a claim with more": ("claim", {"claim": {**CLAIM, "note": "sure"}}),
    "a claim with less": ("claim", {"claim": {k: v for k, v in CLAIM.items() if k != "result"}}),
    "no claim": ("claim", {"claim": {}}),
    "a nested claim": ("claim", {"claim": {**CLAIM, "right": {"right": "23"}}}),
    "called false, though true": ("answer", {"answer": False}),
    "called true, though false": (
        "answer",
        {"question": "417 * 23 = 9592", "claim": {**CLAIM, "result": "9592"}, "answer": True},
    ),
    "false, and said so": (
        "label",
        {"question": "417 * 23 = 9592", "claim": {**CLAIM, "result": "9592"}, "answer": False},
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_item_is_refused_for_a_reason_of_the_set(case: str) -> None:
    reason, changes = WRONG[case]
    assert reject_reason(slot(), Statement(**said(**changes))) == reason
    assert not reason or reason in REJECT_REASONS


def test_a_true_statement_does_not_fill_a_place_that_wants_a_false_one() -> None:
    assert reject_reason(slot(label="no"), Statement(**said())) == "label"


@given(
    st.sampled_from(CATEGORIES), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 10**6), st.integers(0, 9)
)
def test_truth_answer_and_label_have_to_agree(
    category: str, truth: bool, answer: bool, label: bool, ordinal: int, attempt: int
) -> None:
    item = propose_statement(5, category, truth, ordinal, attempt).model_copy(update={"answer": answer})
    expected = "answer" if truth != answer else "" if truth == label else "label"
    assert reject_reason(slot(category, "yes" if label else "no"), item) == expected


def asked(text: str | list[str], pack_of: list[Slot], size: int = 20) -> WrittenBatch:
    """What the writer makes of a model's texts, which come over a real dispatcher and a real ledger."""
    texts = [text] if isinstance(text, str) else text
    provider = playing([ok(t) for t in texts])

    async def run(folder: Path) -> WrittenBatch:
        with Ledger(folder, {"x": 1}) as ledger:
            dispatcher = Dispatcher([provider], Budget(), failover=True)
            [pack] = make_batches(pack_of, size, {})
            return await Statements(size).write(pack, NAMED[:1], CachedCaller(ledger, dispatcher).call)

    with TemporaryDirectory() as folder:
        return played(run(Path(folder)))


def reasons(written: WrittenBatch) -> list[str]:
    return [entry.reason if isinstance(entry, RejectedItem) else "row" for entry in written]


def items(*changes: dict[str, Any]) -> str:
    return json.dumps({"items": [said(**c) for c in changes]})


THREE = [slot(ordinal=i) for i in range(3)]
OTHERS = [
    {"question": f"{n} * 2 = {2 * n}", "claim": {"left": f"{n}", "operator": "*", "right": "2", "result": f"{2 * n}"}}
    for n in range(100, 110)
]


def test_every_place_gets_the_item_at_its_place() -> None:
    written = asked(items(*OTHERS[:3]), THREE)
    assert [e.record.question for e in written if isinstance(e, SlotResult)] == [o["question"] for o in OTHERS[:3]]
    assert [e.record.slot_id for e in written if isinstance(e, SlotResult)] == [s.slot_id for s in THREE]


def test_items_that_are_lacking_are_missing_and_those_too_many_are_left() -> None:
    assert reasons(asked(items(*OTHERS[:2]), THREE)) == ["row", "row", "missing"]
    assert reasons(asked(items(), THREE)) == ["missing"] * 3
    assert reasons(asked(items(*OTHERS), THREE)) == ["row"] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": 1},
        {"answer": "true"},
        {"answer": None},
        {"question": 417},
        {"question": None},
        {"claim": "417"},
        {"claim": None},
        {"claim": [["left", "417"]]},
        {"category": 1},
        {"note": "an unknown key"},
        {"question": ["417 * 23 = 9591"]},
    ],
    ids=lambda changes: ascii(changes),
)
def test_an_item_in_another_form_is_missing_and_its_neighbours_are_not(changes: dict[str, Any]) -> None:
    assert reasons(asked(items(OTHERS[0], changes, OTHERS[2]), THREE)) == ["row", "missing", "row"]


@pytest.mark.parametrize("entry", ["[]", "null", "7", '"417 * 23 = 9591"', "{}", "[[[[]]]]"])
def test_an_entry_that_is_no_object_is_missing(entry: str) -> None:
    assert reasons(asked(f'{{"items": [{entry}]}}', THREE[:1])) == ["missing"]


def test_what_a_model_wrote_is_kept_with_the_refusal_and_can_be_stored() -> None:
    long, half = asked(items({"question": "nul \0 is even " + "x" * 300}, {"question": "\ud800 is even"}), THREE[:2])
    assert isinstance(long, RejectedItem) and isinstance(half, RejectedItem)
    assert long.reason == half.reason == "grammar" and not long.final
    assert long.detail.startswith("nul \0 is even") and len(long.detail) == 200
    assert half.detail == "? is even"


def test_a_row_says_who_wrote_it_what_was_asked_and_that_it_was_checked() -> None:
    [entry] = asked(items({}), THREE[:1])
    assert isinstance(entry, SlotResult)
    row, template = entry.record, load_prompt("arithmetic")
    assert (row.question, row.answer, row.answer_verified, row.category) == (TRUE, "yes", True, "math_verification")
    assert (row.source, row.template, row.checker_version) == ("first/arithmetic", template.id, "arithmetic/1")
    assert row.split in ("train", "calibration", "test") and len(row.request_id) == 32


def test_a_text_that_is_no_json_is_asked_for_again_and_then_given_up() -> None:
    assert reasons(asked(["I would rather not.", '{"items": 7}', items({})], THREE[:1])) == ["row"]
    with pytest.raises(NoAnswer) as given_up:
        asked(["I would rather not."], THREE[:1])
    assert given_up.value.reason == "json"


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("label", ["no", "yes"])
def test_every_row_is_true_or_false_by_an_oracle_of_its_own(category: str, label: str) -> None:
    """With the offline provider as the author, over attempts too."""
    provider = ProviderSpec(kind="offline", seed=11).build()
    writer = Statements(100)
    wanted = [slot(category, label, i, attempt) for i in range(0, 600, 7) for attempt in (0, 3)]

    async def ask(variants: Any, reader: Callable[[str], Any], pack: Any) -> LlmAnswer:
        reply = await provider.complete(variants[0])
        return LlmAnswer(reader(reply.text), variants[0])

    async def run() -> WrittenBatch:
        packs = make_batches(wanted, writer.size, {})
        return [entry for pack in packs for entry in await writer.write(pack, [("offline", "arithmetic")], ask)]

    rows = [entry.record for entry in asyncio.run(run()) if isinstance(entry, SlotResult)]
    assert len(rows) == len(wanted)
    assert {is_true(row.question) for row in rows} == {label == "yes"} and {row.answer for row in rows} == {label}


def requests(items_per_call: int, quotas: dict[str, dict[str, int]]) -> list[Request]:
    writer = Statements(items_per_call)
    packs = make_batches(slots("spec", quotas), writer.size, {})
    return [writer.foreseen(pack, NAMED)[0] for pack in packs]


@pytest.mark.parametrize("items_per_call", range(1, 101))
def test_a_reply_has_room_whatever_is_asked_for_at_once(items_per_call: int) -> None:
    found = requests(items_per_call, {"pattern": {"no": 101, "yes": 120}})
    each = load_prompt("arithmetic").max_tokens
    for request in found:
        [asked_for] = [json.loads(line) for line in request.user.splitlines() if line.startswith("[")]
        assert request.max_tokens == each * len(asked_for) <= MAX_REPLY_TOKENS and len(asked_for) <= items_per_call
    assert max(r.max_tokens for r in found) == each * min(items_per_call, MAX_REPLY_TOKENS // each)


def test_requests_are_the_same_wherever_they_are_made() -> None:
    quotas = {c: {"no": 30, "yes": 30} for c in CATEGORIES}
    one, other = requests(20, quotas), requests(20, quotas)
    assert [r.id for r in one] == [r.id for r in other] and len({r.id for r in one}) == len(one) == 16


def test_another_attempt_another_label_or_another_model_is_another_request() -> None:
    writer = Statements(20)
    [first] = make_batches([slot()], 20, {})
    others = [slot(attempt=1), slot(label="no"), slot(ordinal=1), slot("pattern")]
    ids = {writer.foreseen(pack, NAMED)[0].id for other in others for pack in make_batches([other], 20, {})}
    ids |= {writer.foreseen(first, NAMED)[0].id, writer.foreseen(first, NAMED[::-1])[0].id}
    assert len(ids) == 6


def test_a_request_holds_the_slots_and_no_answer() -> None:
    [pack] = make_batches([slot(label="no", ordinal=3, attempt=2)], 20, {})
    [request] = Statements(20).foreseen(pack, NAMED)
    asked_for = json.loads(next(line for line in request.user.splitlines() if line.startswith("[")))
    assert asked_for == [{"attempt": 2, "category": "math_verification", "label": False, "ordinal": 3}]
    assert (request.provider, request.model, request.template) == ("first", "arithmetic", load_prompt("arithmetic").id)
    assert request.schema_ == load_prompt("arithmetic").schema_
