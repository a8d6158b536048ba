"""A question is paid for once: what was answered before is found, and what cannot be read is asked for otherwise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from credence.generation.ledger import AttemptRecord, Ledger, LedgerReader, Slot, slots
from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.prices import Price
from credence.generation.llm.retry import CONTENT_RETRIES, UnusableReply
from credence.generation.llm.work_item import RESAMPLE, FailureCounts
from credence.generation.writers.batching import SlotBatch, make_batches
from credence.generation.writers.cached_calls import CachedCaller, Deferred, LlmAnswer, NoAnswer, RunStopped
from tests.fakes.virtual_clock import Played, http, ok, played, playing, request

QUOTAS = {"comparison": {"no": 2, "yes": 2}}
FREE = Price(input=0, output=0)


def yes(text: str) -> str:
    if text != "yes":
        raise UnusableReply("json")
    return text.upper()


def pack() -> SlotBatch:
    return make_batches(slots("spec", QUOTAS), 2, {})[0]


class Place:
    """A ledger in a folder, and whoever is asked."""

    def __init__(self, folder: Path, *providers: Played, budget: Budget | None = None, price: Price = FREE) -> None:
        self.ledger = Ledger(folder, {"quotas": QUOTAS, "folder": folder.name})
        self.ledger.due_slots(slots(self.ledger.spec_id, QUOTAS))
        self.providers, self.budget, self.price = providers, budget or Budget(), price

    def ask(
        self,
        *variants: Request,
        pack_: SlotBatch | None = None,
        read: Callable[[str], Any] = yes,
        earlier: tuple[LedgerReader, ...] = (),
        sample: int = 0,
    ) -> LlmAnswer:
        async def asked() -> LlmAnswer:
            dispatcher = Dispatcher(
                self.providers,
                self.budget,
                failover=True,
                prices={p.model: self.price for p in self.providers},
                on_attempt=lambda attempt: self.ledger.note(AttemptRecord.of(attempt)),
            )
            return await CachedCaller(self.ledger, dispatcher, earlier, sample=sample).call(
                variants, read, pack_ or pack()
            )

        try:
            return played(asked())
        finally:
            self.ledger.record()  # waits for what was noted

    def calls(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ledger.attempts().to_pylist()
        return rows


def addressed(provider: Played, user: str = "x") -> Request:
    return request(provider.name, user=user).model_copy(update={"model": provider.model})


def test_what_was_answered_is_not_asked_again_here_or_after_a_kill(tmp_path: Path) -> None:
    provider = playing([ok()])
    place = Place(tmp_path, provider)
    first = place.ask(addressed(provider))
    assert place.ask(addressed(provider)) == first
    place.ledger.close()
    again = Place(tmp_path, provider)
    assert again.ask(addressed(provider)) == first == LlmAnswer("YES", addressed(provider))
    assert len(provider.requests) == 1 and len(again.calls()) == 1
    again.ledger.close()


def test_under_another_number_it_is_another_question(tmp_path: Path) -> None:
    provider = playing([ok("prose"), ok()])
    place = Place(tmp_path, provider)
    assert place.ask(addressed(provider)).request.sample == RESAMPLE
    answered = place.ask(addressed(provider), sample=7)
    assert answered.request == addressed(provider).model_copy(update={"sample": 7})
    assert place.ask(addressed(provider), sample=7) == answered and len(provider.requests) == 3
    place.ledger.close()


def test_the_variant_that_was_answered_counts_and_not_the_first(tmp_path: Path) -> None:
    one, other = playing([ok()]), playing([ok()], name="second", model="b")
    place = Place(tmp_path, one, other)
    place.ask(addressed(other))
    answered = place.ask(addressed(one), addressed(other))
    assert answered.request == addressed(other) and not one.requests and len(other.requests) == 1
    assert place.ask(addressed(one, "else"), addressed(other, "else")).request == addressed(one, "else")
    place.ledger.close()


def test_an_answer_of_a_stand_in_is_found_under_its_own_name(tmp_path: Path) -> None:
    one, other = playing([http(401)]), playing([ok()], name="second", model="b")
    place = Place(tmp_path, one, other)
    variants = addressed(one), addressed(other)
    assert place.ask(*variants).request == addressed(other)
    assert place.ask(*variants).request == addressed(other) and len(other.requests) == len(one.requests) == 1
    place.ledger.close()


def test_what_was_paid_for_another_data_set_is_taken_over_and_kept(tmp_path: Path) -> None:
    provider = playing([ok()])
    before = Place(tmp_path / "before", provider, price=Price(input=1000, output=1000))
    before.ask(addressed(provider))
    before.ledger.close()
    silent = playing([http(500)])
    now = Place(tmp_path / "now", silent)
    with LedgerReader(tmp_path / "before") as reader:
        assert reader.spent().settled > 0
        assert now.ask(addressed(provider), earlier=(reader,)).value == "YES"
    assert now.ask(addressed(provider)).value == "YES" and not silent.requests
    [call] = now.calls()
    assert (call["cost"], call["verdict"], call["reason"]) == (0, "accept", "kept") and now.ledger.spent().total == 0
    [(sent, reply)] = now.ledger.exchanges(addressed(provider).id)
    assert sent == addressed(provider) and reply.text == "yes"
    now.ledger.close()


@pytest.mark.parametrize(
    "replies",
    [
        [ok("prose"), ok()],
        [ok("prose"), ok("prose"), ok()],
        [Reply(kind="refusal"), ok()],
        [Reply(kind="truncated", text="ye"), ok()],
        [Reply(kind="truncated", text="ye"), ok("prose"), ok()],
        [ok("prose"), Reply(kind="refusal"), ok()],
        [Reply(kind="empty"), Reply(kind="refusal"), ok("prose"), ok()],
    ],
    ids=lambda replies: " ".join(f"{r.kind}:{r.text}" for r in replies),
)
def test_an_answer_that_came_after_bad_ones_is_found_as_well(tmp_path: Path, replies: list[Reply]) -> None:
    """And never one of the bad ones; for a data set beside it too."""
    provider = playing(replies)
    place = Place(tmp_path / "one", provider)
    first = place.ask(addressed(provider))
    assert first.value == "YES" and first.request.sample == (len(replies) - 1) * RESAMPLE
    assert place.ask(addressed(provider)) == first
    place.ledger.close()
    other = Place(tmp_path / "other", provider)
    with LedgerReader(tmp_path / "one") as reader:
        assert other.ask(addressed(provider), earlier=(reader,)) == first
        assert other.ask(addressed(provider), earlier=(reader,)) == first
    assert len(provider.requests) == len(replies) and [call["reason"] for call in other.calls()] == ["kept"]
    other.ledger.close()


def test_a_call_that_failed_on_its_way_is_made_again_as_it_was(tmp_path: Path) -> None:
    provider = playing([http(400), ok()])
    place = Place(tmp_path, provider)
    with pytest.raises(NoAnswer):
        place.ask(addressed(provider))
    assert place.ask(addressed(provider)).request == addressed(provider)
    place.ledger.close()


def kept(place: Place, asked: Request, text: str) -> None:
    """A reply that was taken when it came, by another reader than today's."""
    place.ledger.record(attempts=[AttemptRecord(request=asked, reply=Reply(kind="ok", text=text), verdict="accept")])


def test_a_kept_reply_that_cannot_be_read_any_more_is_replaced_once_and_for_ever(tmp_path: Path) -> None:
    provider = playing([ok()])
    place = Place(tmp_path, provider)
    kept(place, addressed(provider), "prose")
    first = place.ask(addressed(provider))
    assert first.value == "YES" and [r.sample for r in provider.requests] == [RESAMPLE]
    assert place.ask(addressed(provider)) == first and len(provider.requests) == 1
    place.ledger.close()


@pytest.mark.parametrize("bad", [1, CONTENT_RETRIES + 1])
def test_bad_texts_of_one_do_not_keep_another_from_being_asked(tmp_path: Path, bad: int) -> None:
    """Where nobody may stand in: the one whose texts were bad may be away, and the other need not wait for it."""
    one, other = playing([ok()]), playing([http(401)], name="second", model="b")
    place = Place(tmp_path, one, other)
    for i in range(bad):
        kept(place, addressed(other).model_copy(update={"sample": i * RESAMPLE}), "prose")
    assert place.ask(addressed(one), addressed(other)).request == addressed(one) and not other.requests
    place.ledger.close()


def test_kept_replies_that_cannot_be_read_count_as_bad_texts(tmp_path: Path) -> None:
    provider = playing([ok("prose")])
    place = Place(tmp_path, provider)
    kept(place, addressed(provider), "prose")
    with pytest.raises(NoAnswer) as unanswered:
        place.ask(addressed(provider))
    assert [r.sample for r in provider.requests] == [RESAMPLE, 2 * RESAMPLE] and unanswered.value.reason == "json"
    for i in range(1, CONTENT_RETRIES + 1):
        kept(place, addressed(provider).model_copy(update={"sample": i * RESAMPLE}), "prose")
    with pytest.raises(NoAnswer):
        place.ask(addressed(provider))
    assert len(provider.requests) == 2
    place.ledger.close()


def test_who_comes_back_has_not_forgotten_what_was_counted(tmp_path: Path) -> None:
    away = http(429, retry_after=3600)
    provider = playing([ok("prose"), away, ok("prose"), ok("prose"), ok()])
    place, mine = Place(tmp_path, provider), pack()
    with pytest.raises(Deferred) as put_off:
        place.ask(addressed(provider), pack_=mine)
    assert put_off.value.after == pytest.approx(3600)
    assert mine.tallies == {addressed(provider).id: FailureCounts(content=1)}
    with pytest.raises(NoAnswer) as unanswered:
        place.ask(addressed(provider), pack_=mine)
    assert unanswered.value.reason == "json" and len(provider.requests) == 4
    assert [r.sample // RESAMPLE for r in provider.requests] == [0, 1, 1, 2]
    assert unanswered.value.request == provider.requests[-1]
    place.ledger.close()


def test_calls_are_noted_under_the_first_slot_of_their_pack(tmp_path: Path) -> None:
    provider = playing([ok()])
    place, mine = Place(tmp_path, provider), pack()
    place.ask(addressed(provider), pack_=mine)
    slot: Slot = mine.slots[0]
    assert [call["slot"] for call in place.calls()] == [slot.slot_id]
    place.ledger.close()


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (http(400), NoAnswer, "http_400"),
        (http(422), NoAnswer, "http_422"),
        (Reply(kind="refusal"), NoAnswer, "refusal"),
        (Reply(kind="empty"), NoAnswer, "empty"),
        (Reply(kind="network", error_type="ReadError"), NoAnswer, "network"),
        (http(401, error_type="bad_key"), RunStopped, "first was stopped: its key was refused (bad_key)"),
        (http(404), RunStopped, "first was stopped: its model or its base_url does not exist"),
    ],
    ids=lambda value: getattr(value, "kind", None) and f"{value.kind} {value.status}",
)
def test_the_end_of_an_unanswered_question_says_why(
    tmp_path: Path, reply: Reply, error: type[Exception], told: str
) -> None:
    provider = playing([reply])
    place = Place(tmp_path, provider)
    with pytest.raises(error) as raised:
        place.ask(addressed(provider))
    assert str(raised.value) == told
    place.ledger.close()


def test_without_money_for_one_more_call_the_run_stops(tmp_path: Path) -> None:
    provider = playing([ok()])
    price = Price(input=1000, output=1000)
    budget = Budget(1.5 * price.most(addressed(provider)) / 1e9)
    place = Place(tmp_path, provider, budget=budget, price=price)
    budget.spent = price.most(addressed(provider))
    with pytest.raises(RunStopped, match=r"^the budget does not pay for one more call$"):
        place.ask(addressed(provider))
    assert not provider.requests
    place.ledger.close()
