"""Generated data sets whose every figure can be worked out by hand."""

from pathlib import Path
from typing import Any

from credence.generation.arithmetic import CATEGORIES, content_id, propose_statement
from credence.generation.ledger import AttemptRecord, Ledger, RejectedItem, Slot, SlotResult, slots
from credence.generation.llm.messages import Request, Usage
from tests.support.ledger_cases import record, reply, request

Named = tuple[str, str]
ONE, OTHER = ("a", "x"), ("b", "y")
STATEMENTS = {"comparison": {"no": 2, "yes": 2}, "number_property": {"no": 1, "yes": 1}}
TOPIC = {"examples": {"bad": 2, "fine": 2, "good": 2}}


class Run:
    """A ledger that is filled entry by entry."""

    def __init__(self, folder: Path, quotas: dict[str, dict[str, int]], writer: str, **more: Any) -> None:
        self.ledger = Ledger(folder, {"writer": writer, "quotas": quotas, **more})
        self.ledger.due_slots(slots(self.ledger.spec_id, quotas))
        self.writer = writer

    def slot(self, category: str, label: str, ordinal: int = 0) -> Slot:
        """The slot with the attempt that is due."""
        (found,) = [s for s in self.ledger.due() if (s.category, s.label, s.ordinal) == (category, label, ordinal)]
        return found

    def call(self, who: Named, text: str, **changes: Any) -> Request:
        """A call that has ended."""
        asked = request(text, provider=who[0], model=who[1])
        ended = {k: changes.pop(k) for k in ("kind", "status", "latency", "usage") if k in changes}
        self.ledger.record(attempts=[AttemptRecord(request=asked, reply=reply("{}", **ended), **changes)])
        return asked

    def row(self, slot: Slot, text: str, asked: Request, **changes: Any) -> None:
        """An item that was accepted."""
        example = {"answer_verified": False, "checker_version": "agreement/2"} if self.writer == "examples" else {}
        given = {"question": text, "source": f"{asked.provider}/{asked.model}", "request_id": asked.id}
        content = changes.pop("content", content_id(slot.category, text))
        self.ledger.record(
            [SlotResult(record=record(slot, content, **given, **example, **changes), attempt=slot.attempt)]
        )

    def refuse(self, slot: Slot, reason: str, asked: Request | None = None, *, final: bool = False) -> None:
        """An item, or a whole call, that gave no row."""
        entry = {"slot_id": slot.slot_id, "attempt": slot.attempt, "reason": reason, "final": final}
        self.ledger.record(quarantine=[RejectedItem(**entry, request_id=asked.id if asked else "")])


def statements(folder: Path) -> Run:
    """Six places: four rows, one duplicate, three rejects, one failed call."""
    run = Run(folder, STATEMENTS, "statements")
    good = {"verdict": "accept", "reason": "ok"}
    first = run.call(ONE, "1", latency=0.05, usage=Usage(input=10, output=4, cached=3), cost=2_000_000, **good)
    second = run.call(ONE, "2", latency=0.3, usage=Usage(input=20, output=6, reasoning=5), cost=3_000_000, **good)
    third = run.call(OTHER, "3", latency=2.0, usage=Usage(input=100, output=50), cost=500_000_000, **good)
    run.call(OTHER, "4", kind="http", status=503, latency=0.1, verdict="retry", reason="http_503")
    fourth = run.call(OTHER, "4", kind="http", status=400, latency=130.0, verdict="quarantine")
    run.refuse(run.slot("comparison", "yes", 0), "answer", first)
    run.row(run.slot("comparison", "yes", 0), "7 is greater than 3", second)
    run.row(run.slot("comparison", "yes", 1), "7 is greater than 3", first)
    (again,) = [s for s in run.ledger.due() if (s.category, s.label) == ("comparison", "yes")]
    run.row(again, "5 is at most 9", first)
    run.refuse(run.slot("comparison", "no", 0), "label", third)
    run.row(run.slot("comparison", "no", 0), "2 is greater than 8", third)
    run.refuse(run.slot("comparison", "no", 1), "grammar", third, final=True)
    run.row(run.slot("number_property", "yes"), "8 is even", third)
    run.refuse(run.slot("number_property", "no"), "http", fourth, final=True)
    return run


def examples(folder: Path) -> Run:
    """Six places with three labels: five rows, and every way in which a second model can object."""
    run = Run(folder, TOPIC, "examples", agreement=2)
    by_one, by_other = run.call(ONE, "1", reason="ok", latency=1.0), run.call(OTHER, "2", reason="ok", latency=3.0)
    run.refuse(run.slot("examples", "bad", 0), "disagreement", by_one)
    run.row(run.slot("examples", "bad", 0), "An awful film", by_one)
    run.refuse(run.slot("examples", "bad", 1), "unclear", by_one)
    run.row(run.slot("examples", "bad", 1), "It broke on day 3", by_one)
    run.refuse(run.slot("examples", "fine", 0), "copied", by_other)
    run.row(run.slot("examples", "fine", 0), "It broke on day 40", by_other)
    run.row(run.slot("examples", "good", 0), "A fine film", by_other)
    run.row(run.slot("examples", "good", 1), "I would buy it again", by_other)
    return run


def many(folder: Path, each: int = 30) -> Run:
    """So many statements of every category and label, with nothing wrong."""
    run = Run(folder, {c: {"no": each, "yes": each} for c in CATEGORIES}, "statements")
    asked = run.call(ONE, "all", reason="ok")
    while due := run.ledger.due():
        run.ledger.record([_proposed(slot, asked) for slot in due])
    return run


def _proposed(slot: Slot, asked: Request) -> SlotResult:
    text = propose_statement(0, slot.category, slot.label == "yes", slot.ordinal, slot.attempt).question
    made = record(slot, content_id(slot.category, text), question=text, source="a/x", request_id=asked.id)
    return SlotResult(record=made, attempt=slot.attempt)
