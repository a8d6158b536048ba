"""Providers, with their real SDKs over real HTTP: whatever a server does is a Reply that says so, after one attempt."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from credence.core.errors import InputError
from credence.core.registry import load_kind
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.provider import Provider, ProviderSpec
from tests.fakes.fake_faults import FAULTS, TRANSIENT
from tests.fakes.fake_llm import FakeLLM

SCHEMA = {"type": "object", "properties": {"items": {"type": "array"}}, "required": ["items"]}
SLOT = json.dumps({"category": "comparison", "label": True, "ordinal": 3, "attempt": 0})
KEY = "sk-a-secret-that-nobody-may-read"
KINDS = ["anthropic", "openai"]
each_kind = pytest.mark.parametrize("kind", KINDS)

STATUS = {fault: int(fault.split("_")[0]) for fault in FAULTS if fault[0].isdigit()}
STATUS |= {"quota": 429, "spend_limit": 429, "redirect": 307, "tells_key": 401}
CONTENT = {
    "truncated": "truncated",
    "empty": "empty",
    "blank": "empty",
    "refusal": "refusal",
    "wrong_schema": "ok",
    "fence": "ok",
    "prose": "ok",
}
SILENT = {"hang": "deadline", "drip": "deadline", "reset": "network", "broken_off": "network"}
ENDS = dict.fromkeys(FAULTS, "envelope") | dict.fromkeys(STATUS, "http") | CONTENT | SILENT


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeLLM]:
    with FakeLLM() as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(fake: FakeLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.does()
    monkeypatch.setenv("FAKE_KEY", KEY)


def provider(fake: FakeLLM, kind: str, **more: Any) -> Provider:
    address = fake.url + ("/v1" if kind == "openai" else "")
    given = {"model": "m-1", "base_url": address, "key_env": "FAKE_KEY", "read_seconds": 0.5, "total_seconds": 20}
    made: Provider = ProviderSpec(kind=kind, **(given | more)).build()
    return made


def request(**more: Any) -> Request:
    given = {"provider": "p", "model": "m-1", "system": "Be exact.", "user": SLOT, "schema_": SCHEMA, "max_tokens": 90}
    return Request(**(given | more))


def ask(provider: Provider, *requests: Request) -> list[Reply]:
    """The replies to requests that are made at the same time."""

    async def run() -> list[Reply]:
        try:
            return await asyncio.gather(*(provider.complete(r) for r in requests or [request()]))
        finally:
            await provider.close()

    return asyncio.run(run())


@each_kind
def test_a_good_reply_holds_everything_that_came(fake: FakeLLM, kind: str) -> None:
    [reply] = ask(provider(fake, kind))
    body = json.loads(reply.raw)
    assert (reply.kind, reply.status, reply.provider_id) == ("ok", 200, body["id"])
    assert json.loads(reply.text or "")["items"][0]["answer"] is True
    assert reply.latency > 0 and reply.error_type is None and reply.retry_after is None
    assert Reply.model_validate_json(reply.model_dump_json()) == reply


@each_kind
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_after_one_attempt(fake: FakeLLM, kind: str, fault: str) -> None:
    fake.does(always=fault)
    [reply] = ask(provider(fake, kind, total_seconds=0.6 if fault == "drip" else 20))
    seen = fake.saw()
    assert (reply.kind, seen["calls"], seen["retry_counts"]) == (ENDS[fault], 1, ["0"])
    assert reply.status == STATUS.get(fault, None if fault in SILENT else 200)
    assert (reply.text is None) == (reply.kind not in ("ok", "truncated", "refusal", "empty")) or reply.kind == "empty"
    assert Reply.model_validate_json(reply.model_dump_json()) == reply


@each_kind
def test_the_table_of_faults_covers_those_of_a_soak(fake: FakeLLM, kind: str) -> None:
    assert len(TRANSIENT) == 19 and set(TRANSIENT) <= set(FAULTS)
    fake.does(faults=TRANSIENT)
    replies = ask(provider(fake, kind, total_seconds=2), *(request(sample=i) for i in range(19)))
    assert sorted(r.kind for r in replies) == sorted(ENDS[fault] for fault in TRANSIENT)
    assert (fake.saw()["calls"], fake.saw()["retry_counts"]) == (19, ["0"])


@each_kind
@pytest.mark.parametrize("fault", [*CONTENT, "bad_envelope"])
def test_a_failed_attempt_keeps_the_usage_it_reported(fake: FakeLLM, kind: str, fault: str) -> None:
    fake.does(always=fault)
    [reply] = ask(provider(fake, kind))
    told = json.loads(reply.raw)["usage"]
    assert reply.usage is not None and reply.usage.cached == 3
    if kind == "openai":
        assert (reply.usage.input, reply.usage.output) == (told["prompt_tokens"], told["completion_tokens"])
        assert reply.usage.reasoning == 2
    else:
        assert (reply.usage.input, reply.usage.output) == (told["input_tokens"] + 3 + 5, told["output_tokens"])


@each_kind
@pytest.mark.parametrize(
    ("fault", "seconds"), [("429", 2.0), ("429_ms", 1.5), ("429_date", 7.0), ("429_hour", 3600.0), ("429_bare", None)]
)
def test_the_wait_that_is_asked_for(fake: FakeLLM, kind: str, fault: str, seconds: float | None) -> None:
    fake.does(always=fault)
    [reply] = ask(provider(fake, kind))
    assert reply.retry_after == seconds


@each_kind
@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("quota", "insufficient_quota"),
        ("spend_limit", "enforced_spend_limit_reached"),
        ("529", "overloaded_error"),
        ("error_in_success", "bad_gateway"),
        ("hang", "ReadTimeout"),
        ("drip", "total_seconds"),
        ("reset", "RemoteProtocolError"),
    ],
)
def test_what_went_wrong_has_the_most_exact_name(fake: FakeLLM, kind: str, fault: str, name: str) -> None:
    fake.does(always=fault)
    assert ask(provider(fake, kind, total_seconds=1))[0].error_type == name


@each_kind
def test_limits_in_headers_are_kept_and_cookies_are_not(fake: FakeLLM, kind: str) -> None:
    headers = {"x-ratelimit-remaining-requests": "3", "anthropic-ratelimit-tokens-limit": "9", "set-cookie": "a=b"}
    fake.does(always={"kind": "503", "headers": headers})
    kept = ask(provider(fake, kind))[0].headers
    assert kept["x-ratelimit-remaining-requests"] == "3" and kept["anthropic-ratelimit-tokens-limit"] == "9"
    assert "set-cookie" not in kept


@each_kind
def test_a_closed_port_is_a_network_failure_before_anything_was_sent(kind: str, fake: FakeLLM) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    [reply] = ask(provider(fake, kind, base_url=address))
    assert (reply.kind, reply.error_type) == ("network", "ConnectError")


@each_kind
def test_a_server_that_accepts_nobody_is_left_after_connect_seconds(kind: str, fake: FakeLLM) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        [reply] = ask(provider(fake, kind, base_url=address, connect_seconds=0.3))
        for one in crowd:
            one.close()
    assert (reply.kind, reply.error_type) == ("network", "ConnectTimeout")


@each_kind
def test_the_policy_of_timeouts_is_the_default(kind: str) -> None:
    made = load_kind("providers", kind)(model="m")
    assert (made.connect_seconds, made.read_seconds, made.total_seconds) == (5, 60, 120)
    assert (made.name, made.limits.rpm, made.limits.tpm, made.limits.in_flight) == (kind, 60, None, 256)


@each_kind
def test_calls_run_side_by_side(fake: FakeLLM, kind: str) -> None:
    fake.does(latency=0.3)
    replies = ask(provider(fake, kind, read_seconds=20), *(request(sample=i) for i in range(12)))
    assert [r.kind for r in replies] == ["ok"] * 12 and fake.saw()["peak"] >= 6


@each_kind
def test_a_cancelled_call_is_cancelled_and_the_next_one_works(fake: FakeLLM, kind: str) -> None:
    fake.does(faults=["hang"])
    made = provider(fake, kind, read_seconds=60)

    async def run() -> Reply:
        call = asyncio.create_task(made.complete(request()))
        while not (await asyncio.to_thread(fake.saw))["calls"]:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        reply = await made.complete(request())
        await made.close()
        return reply

    assert asyncio.run(run()).kind == "ok"


@each_kind
def test_a_provider_outlives_its_event_loop_and_its_connections(fake: FakeLLM, kind: str) -> None:
    made = provider(fake, kind)
    assert [ask(made)[0].kind for _ in range(3)] == ["ok"] * 3
    assert asyncio.run(made.complete(request())).kind == "ok"
    assert ask(made)[0].kind == "ok"
    assert asyncio.run(made.complete(request())).kind == "ok"
    asyncio.run(made.close())


@each_kind
def test_the_environment_does_not_send_calls_elsewhere(
    fake: FakeLLM, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{kind.upper()}_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv(f"{kind.upper()}_API_KEY", "another key")
    assert ask(provider(fake, kind))[0].kind == "ok"
    assert "another key" not in json.dumps(fake.saw()["last"])


@each_kind
def test_the_account_of_one_company_is_not_told_to_another(
    fake: FakeLLM, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ORG_ID", "PROJECT_ID", "ADMIN_KEY", "AUTH_TOKEN"):
        monkeypatch.setenv(f"{kind.upper()}_{name}", "mine")
    monkeypatch.setenv(f"{kind.upper()}_CUSTOM_HEADERS", "X-Team: mine\nAuthorization: Bearer mine")
    assert ask(provider(fake, kind))[0].kind == "ok"
    headers = fake.saw()["last"]["headers"]
    assert headers["authorization"] == f"Bearer {KEY}" and "mine" not in json.dumps(headers)


def test_what_is_sent_to_openai(fake: FakeLLM) -> None:
    ask(provider(fake, "openai"))
    last = fake.saw()["last"]
    named = {"name": "reply", "strict": True, "schema": SCHEMA}
    assert last["path"] == "/v1/chat/completions" and last["headers"]["authorization"] == f"Bearer {KEY}"
    assert last["body"] == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "Be exact."}, {"role": "user", "content": SLOT}],
        "max_completion_tokens": 90,
        "response_format": {"type": "json_schema", "json_schema": named},
    }


def test_a_reasoning_model_has_room_to_think(fake: FakeLLM) -> None:
    thinks = provider(fake, "openai", thinking_tokens=2000)
    ask(thinks)
    assert fake.saw()["last"]["body"]["max_completion_tokens"] == 2090
    assert thinks.with_max_tokens(request()).max_tokens == 2090


@pytest.mark.parametrize("replies", ["json_object", "none"])
def test_a_server_without_schemas_is_told_the_schema_in_words(fake: FakeLLM, replies: str) -> None:
    ask(provider(fake, "openai", replies=replies, tokens_key="max_tokens", seeded=True))
    body = fake.saw()["last"]["body"]
    assert body.get("response_format") == ({"type": "json_object"} if replies == "json_object" else None)
    assert body["messages"][0]["content"].endswith(json.dumps(SCHEMA, sort_keys=True))
    assert body["max_tokens"] == 90 and body["seed"] == int(request().id[:7], 16)


@each_kind
def test_without_a_schema_none_is_sent(fake: FakeLLM, kind: str) -> None:
    ask(provider(fake, kind), request(schema_=None))
    assert not {"response_format", "output_config"} & fake.saw()["last"]["body"].keys()


def test_what_is_sent_to_anthropic(fake: FakeLLM) -> None:
    ask(provider(fake, "anthropic"), request(max_tokens=9000))
    last = fake.saw()["last"]
    assert last["path"] == "/v1/messages" and last["headers"]["authorization"] == f"Bearer {KEY}"
    assert last["body"] == {
        "model": "m-1",
        "max_tokens": 4096,
        "system": "Be exact.",
        "messages": [{"role": "user", "content": SLOT}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


@each_kind
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_is_one_sentence(
    fake: FakeLLM, kind: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAKE_KEY") if value is None else monkeypatch.setenv("FAKE_KEY", value)
    with pytest.raises(InputError, match="provider 'mine' takes its key from the environment variable FAKE_KEY, which"):
        ask(provider(fake, kind, name="mine"))
    assert fake.saw()["calls"] == 0


@pytest.mark.parametrize("value", ["two words", "sk-1\nHost: elsewhere", "ключ"])
def test_a_key_that_no_key_looks_like_is_not_sent_and_not_shown(
    fake: FakeLLM, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_KEY", value)
    with pytest.raises(InputError, match="FAKE_KEY holds a space, a line break") as caught:
        ask(provider(fake, "openai"))
    assert value not in str(caught.value) and fake.saw()["calls"] == 0


@each_kind
@pytest.mark.parametrize("key", [KEY, "gsk_0123456789abcdef", "0123456789ABCDEF", ""])
def test_a_key_in_the_place_of_its_name_is_refused_and_not_shown(kind: str, key: str) -> None:
    with pytest.raises(InputError, match="key_env: expected the name of an environment variable in capitals") as caught:
        ProviderSpec(kind=kind, model="m", key_env=key).build()
    assert not key or key not in str(caught.value)


@each_kind
def test_a_server_that_asks_for_no_key_gets_none(fake: FakeLLM, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{kind.upper()}_API_KEY", KEY)
    assert ask(provider(fake, kind, key_env=None))[0].kind == "ok"
    assert KEY not in json.dumps(fake.saw()["last"])


@each_kind
@pytest.mark.parametrize("fault", [None, "tells_key", "500", "reset"])
def test_the_key_is_in_no_reply_no_repr_and_no_log(
    fake: FakeLLM, kind: str, fault: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    fake.does(always=fault)
    made = provider(fake, kind)
    with caplog.at_level("DEBUG"):
        [reply] = ask(made)
    for shown in (repr(reply), reply.model_dump_json(), reply.raw.decode(), repr(made), made.model_dump_json()):
        assert KEY not in shown
    # What a server sends back, the SDK may log; what we send, nobody may.
    assert fault == "tells_key" or not [r for r in caplog.records if KEY in r.getMessage() + repr(r.args)]
    assert fault != "tells_key" or (reply.headers["x-ratelimit-owner"] == "[key]" and b"[key]" in reply.raw)


@each_kind
@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("api.example.com/v1", "is no address of a server"),
        ("ftp://example.com", "is no address of a server"),
        ("https://", "is no address of a server"),
        ("https://[::1", "is no address of a server"),
        ("https://exa mple.com", "is no address of a server"),
        ("https://exa\tmple.com", "is no address of a server"),
        ("https://example.com\n", "is no address of a server"),
        ("https://me:pass@example.com", "give the plain address"),
        ("https://example.com/?key=7", "give the plain address"),
    ],
)
def test_a_wrong_address_is_one_sentence(fake: FakeLLM, kind: str, address: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        provider(fake, kind, base_url=address)
    assert "pass@" not in str(caught.value) and "key=7" not in str(caught.value)


def test_the_address_of_anthropic_has_no_version(fake: FakeLLM) -> None:
    with pytest.raises(InputError, match=r"ends in /v1, which the SDK adds itself; write 'https://example.com'"):
        provider(fake, "anthropic", base_url="https://example.com/v1/")


@each_kind
def test_the_key_of_one_company_is_not_sent_to_another(kind: str) -> None:
    with pytest.raises(InputError, match=r"example.com:8000.*so say whose key it takes with key_env"):
        ProviderSpec(kind=kind, model="m", base_url="https://example.com:8000").build()


def test_misspelt_kinds_and_keys_get_a_hint() -> None:
    with pytest.raises(ValidationError, match=r"no provider of kind 'opena'\. Did you mean 'openai'\?"):
        ProviderSpec(kind="opena")
    with pytest.raises(InputError, match="Did you mean 'model'"):
        ProviderSpec(kind="openai", modell="m").build()
    with pytest.raises(InputError, match="model: this key is needed and missing"):
        ProviderSpec(kind="anthropic").build()
    with pytest.raises(InputError, match=r"limits\.rpm: input should be greater than or equal to 1, not '0'"):
        ProviderSpec(kind="openai", model="m", limits={"rpm": 0}).build()
