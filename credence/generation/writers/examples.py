"""Write examples for a user's topic; a row is accepted if other models give it the same label."""

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict, ValidationError

from credence.core.registry import StrictModel
from credence.generation.arithmetic.normalization import normalize_statement
from credence.generation.ledger import RejectedItem, Slot, SlotResult
from credence.generation.llm.messages import Request
from credence.generation.llm.prices import BYTES_PER_TOKEN
from credence.generation.section import UNCLEAR, Generation
from credence.generation.writers.batching import SlotBatch
from credence.generation.writers.cached_calls import Deferred, LlmAnswer, ParseReply, RunStopped
from credence.generation.writers.prompts import Template
from credence.generation.writers.prompts import load_prompt as prompt
from credence.generation.writers.reply_parsing import parse_reply_list, reject
from credence.generation.writers.writer import MAX_REPLY_TOKENS, CallFn, Named, WrittenBatch, make_row

SHOWN_SEEDS = 5


class _Text(StrictModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    text: str
    label: str


class _Opinion(StrictModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    number: int
    label: str


class Examples:
    """One model writes; others label its texts without knowing the intended label.

    Agreement is weaker evidence than a computed truth, so rows are not marked as verified.
    """

    failover = False  # a text must not be labelled by the model that wrote it

    def __init__(self, section: Generation) -> None:
        self._section = section
        self._written, self._read = prompt("examples"), prompt("opinion")
        self._seeds = section.written_by_hand()
        self._copied = {normalize_statement(seed.text) for seed in self._seeds}
        self.templates = [self._written.id, self._read.id]
        self.size = min(section.items_per_call, MAX_REPLY_TOKENS // self._written.max_tokens)

    async def write(self, batch: SlotBatch, turns: Sequence[Named], ask: CallFn) -> WrittenBatch:
        """Get texts from one model, and labels for them from as many other models as must agree.

        Raises:
            Deferred: No provider can take a request now.
            NoAnswer: Another attempt would not help.
            RunStopped: Too few different models, or no money, are left.
        """
        answered = await _first([self._asked_to_write(batch, who) for who in turns], _texts, batch, ask)
        texts = (answered.value + [None] * len(batch.slots))[: len(batch.slots)]
        reasons = [self._wrong(slot, text) for slot, text in zip(batch.slots, texts, strict=True)]
        authors = {answered.request.model}
        while len(authors) < self._section.agreement and not all(reasons):
            doubtful = [i for i, reason in enumerate(reasons) if not reason]
            others = [who for who in turns if who[1] not in authors]
            requests = [self._asked_to_read([texts[i].text for i in doubtful], who) for who in others]
            opinion = await _first(requests, _labels, batch, ask)
            authors.add(opinion.request.model)
            for number, i in enumerate(doubtful, 1):
                reasons[i] = _differs(batch.label, opinion.value.get(number))
        return [self._entry(*entry, answered) for entry in zip(batch.slots, texts, reasons, strict=True)]

    def foreseen(self, batch: SlotBatch, turns: Sequence[Named]) -> list[Request]:
        """Return one writing request and one labelling request for each model that must agree."""
        longest = ["x" * BYTES_PER_TOKEN * self._written.max_tokens] * len(batch.slots)
        readers = [who for who in turns if who[1] != turns[0][1]][: self._section.agreement - 1]
        return [self._asked_to_write(batch, turns[0]), *(self._asked_to_read(longest, who) for who in readers)]

    def _asked_to_write(self, batch: SlotBatch, who: Named) -> Request:
        labels, first = self._section.labels, batch.slots[0]
        user = self._written.user_message(
            topic=self._section.topic,
            label=batch.label,
            meaning=labels[batch.label],
            count=len(batch.slots),
            others={k: v for k, v in labels.items() if k != batch.label},
            seeds=self._shown(batch),
            batch=f"{first.ordinal}.{first.attempt}",
        )
        return _request(self._written, who, user, len(batch.slots))

    def _asked_to_read(self, texts: list[str], who: Named) -> Request:
        numbered = [{"number": i, "text": text} for i, text in enumerate(texts, 1)]
        user = self._read.user_message(topic=self._section.topic, labels=self._section.labels, texts=numbered)
        return _request(self._read, who, user, len(texts))

    def _shown(self, batch: SlotBatch) -> list[str]:
        """Choose up to 5 seed texts of the batch's label (or without label), others for every batch."""
        fit = [seed.text for seed in self._seeds if seed.label in (None, batch.label)]
        start = (batch.slots[0].ordinal // self.size + batch.slots[0].attempt) * SHOWN_SEEDS
        return [fit[(start + i) % len(fit)] for i in range(min(SHOWN_SEEDS, len(fit)))]

    def _wrong(self, slot: Slot, text: _Text | None) -> str:
        if text is None:
            return "missing"
        if not any(sign.isprintable() and not sign.isspace() for sign in text.text):
            return "blank"
        if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text.text):
            return "grammar"  # no file can hold these
        if normalize_statement(text.text) in self._copied:
            return "copied"
        return "" if text.label == slot.label else "label"

    def _entry(self, slot: Slot, text: _Text | None, reason: str, answered: LlmAnswer) -> SlotResult | RejectedItem:
        if text is None or reason:
            return reject(slot, reason, answered.request.id, text.text if text else "")
        checker = f"agreement/{self._section.agreement}"
        return make_row(slot, text.text.strip(), answered, self._written.id, checker, verified=False)


def _differs(label: str, opinion: str | None) -> str:
    if opinion is None or opinion == UNCLEAR:
        return "unclear"
    return "" if opinion == label else "disagreement"


async def _first(requests: Sequence[Request], read: ParseReply, batch: SlotBatch, ask: CallFn) -> LlmAnswer:
    """Return a stored reply, or that of the first provider that can take its request now."""
    deferred: list[Deferred] = []
    stopped = RunStopped("fewer different models are left than have to agree")
    for i in range(len(requests)):
        try:
            return await ask(requests[i:], read, batch)
        except Deferred as error:
            deferred.append(error)
        except RunStopped as error:
            stopped = error
    raise min(deferred, key=lambda error: error.after) if deferred else stopped


def _request(template: Template, who: Named, user: str, items: int) -> Request:
    return Request(
        provider=who[0],
        model=who[1],
        system=template.system_message(),
        user=user,
        schema_=template.schema_,
        max_tokens=template.max_tokens * items,
        template=template.id,
    )


def _texts(text: str) -> list[_Text | None]:
    return [_valid(_Text, entry) for entry in parse_reply_list(text, "items")]


def _labels(text: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for opinion in filter(None, (_valid(_Opinion, entry) for entry in parse_reply_list(text, "labels"))):
        same = found.get(opinion.number, opinion.label) == opinion.label
        found[opinion.number] = opinion.label if same else UNCLEAR
    return found


def _valid(kind: type[Any], entry: Any) -> Any:
    try:
        return kind.model_validate(entry)
    except ValidationError:
        return None
