"""The fake server itself: it speaks the wire formats well enough for the real SDKs, counts rightly, and is strict."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from credence.generation.llm.messages import Request
from credence.generation.llm.provider import ProviderSpec
from tests.fakes.fake_faults import FAULTS
from tests.fakes.fake_llm import FakeLLM, Script, think

ROOT = Path(__file__).parents[2]
TEXT = "one two three"
ASKED: Any = [{"role": "user", "content": "hello"}]
SLOT = '{"category": "comparison", "label": true, "ordinal": 3, "attempt": 0}'


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeLLM]:
    with FakeLLM() as server:
        yield server


@pytest.fixture
def gpt(fake: FakeLLM) -> Iterator[openai.OpenAI]:
    fake.does(text=TEXT)
    with openai.OpenAI(api_key="k", base_url=f"{fake.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(fake: FakeLLM) -> Iterator[anthropic.Anthropic]:
    fake.does(text=TEXT)
    with anthropic.Anthropic(api_key="k", base_url=fake.url, max_retries=0) as client:
        yield client


def test_chat_completions_whole_and_streamed(gpt: openai.OpenAI) -> None:
    whole = gpt.chat.completions.create(model="m", messages=ASKED)
    assert whole.choices[0].message.content == TEXT and whole.usage and whole.usage.completion_tokens == 10
    chunks = list(gpt.chat.completions.create(model="m", messages=ASKED, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).strip() == TEXT
    assert chunks[-1].usage and chunks[-1].usage.completion_tokens == 10


def test_responses_whole_and_streamed(gpt: openai.OpenAI) -> None:
    whole = gpt.responses.create(model="m", input="hello")
    assert (whole.output_text, whole.status) == (TEXT, "completed") and whole.usage and whole.usage.output_tokens == 10
    events = list(gpt.responses.create(model="m", input=ASKED, stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta").strip() == TEXT
    assert events[-1].type == "response.completed" and events[-1].response.output_text == TEXT


def test_messages_whole_and_streamed(claude: anthropic.Anthropic) -> None:
    whole = claude.messages.create(model="m", max_tokens=9, messages=ASKED)
    assert (whole.content[0].text, whole.stop_reason) == (TEXT, "end_turn")  # type: ignore[union-attr]
    with claude.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream:
        assert "".join(stream.text_stream).strip() == TEXT
        assert stream.get_final_message().usage.output_tokens == 10


def test_a_stream_that_fails_in_its_middle_is_an_error_of_each_sdk(
    fake: FakeLLM, gpt: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    fake.does(always="cut_stream")
    with pytest.raises(openai.APIError):
        list(gpt.chat.completions.create(model="m", messages=ASKED, stream=True))
    with pytest.raises(anthropic.APIStatusError), claude.messages.stream(model="m", max_tokens=9, messages=ASKED) as s:
        list(s)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.isdigit()])
def test_a_status_is_the_exception_that_each_sdk_has_for_it(
    fake: FakeLLM, gpt: openai.OpenAI, claude: anthropic.Anthropic, fault: str
) -> None:
    fake.does(always=fault)
    with pytest.raises(openai.APIStatusError) as by_gpt:
        gpt.chat.completions.create(model="m", messages=ASKED)
    with pytest.raises(anthropic.APIStatusError) as by_claude:
        claude.messages.create(model="m", max_tokens=9, messages=ASKED)
    assert by_gpt.value.status_code == by_claude.value.status_code == int(fault)


def test_it_sees_the_retries_of_an_sdk_that_makes_some(fake: FakeLLM) -> None:
    fake.does(faults=[{"kind": "429", "headers": {"retry-after": "0"}}])
    with openai.OpenAI(api_key="k", base_url=f"{fake.url}/v1", max_retries=1) as client:
        client.chat.completions.create(model="m", messages=ASKED)
    seen = fake.saw()
    assert (seen["retry_counts"], seen["calls"], seen["answered"]) == (["0", "1"], 2, 1)
    assert (seen["unique"], seen["asked_twice"], seen["faults"]) == (1, 1, {"429": 1})


def test_a_window_takes_what_it_allows_and_not_one_more(fake: FakeLLM) -> None:
    fake.does(window={"allowed": 5, "seconds": 3600})

    async def run() -> Counter[int]:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{fake.url}/v1", max_retries=0) as client:
            ask = client.chat.completions.create
            ended = await asyncio.gather(*(ask(model="m", messages=ASKED) for _ in range(12)), return_exceptions=True)
        waits = [e.response.headers["retry-after"] for e in ended if isinstance(e, openai.RateLimitError)]
        assert all(0 < float(wait) <= 3600 for wait in waits)
        return Counter(type(e).__name__ for e in ended)  # type: ignore[return-value]

    assert asyncio.run(run()) == {"ChatCompletion": 5, "RateLimitError": 7}
    assert (fake.saw()["limited"], fake.saw()["answered"]) == (7, 5)


def test_a_window_that_slides_takes_calls_again() -> None:
    script = Script(window={"allowed": 2, "seconds": 10})
    assert [script.wait() > 0 for _ in range(3)] == [False, False, True]
    script.accepted = type(script.accepted)(then - 10 for then in script.accepted)
    assert [script.wait() > 0 for _ in range(3)] == [False, False, True]


def test_faults_come_in_order_and_then_always() -> None:
    script = Script(faults=["500", {"kind": "hang", "seconds": 1}], always="503", only="here")
    told = [f and (f.kind, f.seconds) for f in (script.next(p) for p in ("other", "here", "here", "here", "here"))]
    assert told == [None, ("500", 3600.0), ("hang", 1), ("503", 3600.0), ("503", 3600.0)]


def test_a_mix_is_a_share_by_chance_and_the_same_for_one_seed() -> None:
    def run(seed: int) -> list[str | None]:
        script = Script(mix=["500", "html"], seed=seed)
        return [fault and fault.kind for fault in (script.next("") for _ in range(400))]  # type: ignore[misc]

    assert run(1) == run(1) != run(2)
    assert set(run(1)) == {None, "500", "html"} and 100 < sum(f is not None for f in run(1)) < 180


def test_it_answers_slots_as_the_offline_provider_does() -> None:
    asked = Request(provider="p", model="m", system="", user=f"Write {SLOT} and {SLOT}, please.", max_tokens=9)
    offline = asyncio.run(ProviderSpec(kind="offline").build().complete(asked))
    assert json.loads(think(asked.user)) == json.loads(offline.text)
    assert think("nothing to do") == '{"items": []}'


def test_it_serves_in_a_process_of_its_own_and_ends_when_told() -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.fake_llm"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/__stats", timeout=30) as answer:
            assert answer.status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    assert server.returncode in (0, -signal.SIGTERM)
