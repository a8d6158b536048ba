"""The guard before the service: keys, sizes, rates, ids."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentos.api.middleware import MAX_BATCH_BYTES, MAX_BODY_BYTES, MAX_CALLERS, OPEN_PATHS, RequestGuard, TokenBuckets
from bentos.runtime.request_context import REQUEST_CONTEXT, RequestContext
from bentos.settings import Settings
from credence.core.errors import InputError
from tests.support.serving_cases import call

KEY, OTHER = "first-secret", "second-secret"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, however many messages it takes to come."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Clock:
    """A clock that stands until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_settings_everything_passes_unchanged() -> None:
    status, headers, body, _ = call(RequestGuard(echo), chunks=[b"one ", b"", b"two"])
    assert (status, body) == (200, b"one two")
    assert len(headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY},
        {"X-API-Key": OTHER},
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {OTHER}"},
    ],
)
def test_a_known_key_passes(headers: dict[str, str]) -> None:
    assert call(RequestGuard(echo, [KEY, OTHER]), headers=headers)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": KEY[:-1]},
        {"X-API-Key": f"{KEY},{OTHER}"},
        {"X-API-Key": "clé"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"X-Other": KEY},
    ],
)
def test_any_other_key_is_refused_without_a_word_about_the_right_one(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        status, answered, body, read = call(RequestGuard(echo, [KEY, OTHER]), headers=headers, chunks=[b"body"])
    assert (status, read) == (401, 0)
    assert answered["www-authenticate"] == "Bearer"
    assert json.loads(body) == {
        "error": "no known API key; send one as X-API-Key or as Authorization: Bearer.",
        "field": None,
    }
    assert "secret" not in caplog.text + str(answered) + body.decode()


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_health_and_metrics_ask_for_no_key_and_have_no_rate(path: str) -> None:
    guard = RequestGuard(echo, [KEY], rate=0.001)
    assert [call(guard, path)[0] for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("path", ["/", "/docs.json", "/card", "/schema.json", "/healthy", "/metrics/x"])
def test_everything_else_asks_for_one(path: str) -> None:
    assert call(RequestGuard(echo, [KEY]), path)[0] == 401


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/predict", MAX_BODY_BYTES),
        ("/batch_predict", MAX_BATCH_BYTES),
        ("/feedback", MAX_BATCH_BYTES),
    ],
)
def test_a_body_may_be_as_large_as_said_and_no_larger(path: str, limit: int) -> None:
    half = b"x" * (limit // 2)
    assert call(RequestGuard(echo), path, chunks=[half, half])[0] == 200
    status, headers, body, read = call(RequestGuard(echo), path, chunks=[half, half, b"x", b"never read"])
    assert (status, read, headers["connection"]) == (413, 3, "close")
    assert f"larger than {limit >> 20} MiB" in json.loads(body)["error"]


def test_a_declared_length_is_believed_before_a_byte_is_read() -> None:
    status, _, _, read = call(RequestGuard(echo), headers={"Content-Length": str(MAX_BODY_BYTES + 1)}, chunks=[b"x"])
    assert (status, read) == (413, 0)


def test_a_length_that_is_too_small_does_not_open_the_door() -> None:
    chunks = [b"x" * MAX_BODY_BYTES, b"x"]
    assert call(RequestGuard(echo), headers={"Content-Length": "1"}, chunks=chunks)[0] == 413


def test_too_many_requests_are_told_when_to_come_back() -> None:
    guard = RequestGuard(echo, rate=0.5)
    assert [call(guard)[0] for _ in range(2)] == [200, 429]
    status, headers, body, _ = call(guard)
    assert (status, headers["retry-after"]) == (429, "2")
    assert json.loads(body)["error"] == "too many requests; try again in 2 s."


def test_callers_have_a_bucket_each() -> None:
    guard = RequestGuard(echo, [KEY, OTHER], rate=0.5)
    answers = [call(guard, headers={"X-API-Key": key})[0] for key in (KEY, KEY, OTHER)]
    assert answers == [200, 429, 200]


def test_a_bucket_fills_up_with_time_and_never_beyond_its_size() -> None:
    clock = Clock()
    buckets = TokenBuckets(10, clock)
    assert [buckets.wait(b"a") for _ in range(21)] == [0.0] * 20 + [pytest.approx(0.1)]
    clock.now = 0.1
    assert buckets.wait(b"a") == 0.0
    clock.now = 1e6
    assert [buckets.wait(b"a") > 0 for _ in range(21)] == [False] * 20 + [True]


@given(st.floats(0.1, 50), st.lists(st.floats(0, 2), min_size=1, max_size=60))
def test_no_more_pass_than_the_burst_and_the_rate_allow(rate: float, gaps: list[float]) -> None:
    clock, passed = Clock(), 0
    buckets = TokenBuckets(rate, clock)
    for gap in gaps:
        clock.now += gap
        passed += buckets.wait(b"a") == 0.0
    assert passed <= max(2 * rate, 1) + rate * (clock.now - gaps[0]) + 1e-6
    assert passed >= 1


def test_strangers_cannot_fill_the_memory() -> None:
    buckets = TokenBuckets(1)
    for i in range(MAX_CALLERS + 50):
        buckets.wait(str(i).encode())
    assert len(buckets._left) == MAX_CALLERS


def test_a_sane_request_id_is_kept_and_any_other_replaced() -> None:
    assert call(RequestGuard(echo), headers={"X-Request-ID": "order-66.a:b_c"})[1]["x-request-id"] == "order-66.a:b_c"
    for strange in ("", "a b", "x" * 65, "a\r\nSet-Cookie: b"):
        assert len(call(RequestGuard(echo), headers={"X-Request-ID": strange})[1]["x-request-id"]) == 32
    refused = call(RequestGuard(echo, [KEY]), headers={"X-Request-ID": "mine"})
    assert (refused[0], refused[1]["x-request-id"]) == (401, "mine")


def test_the_service_is_told_who_asks() -> None:
    told: list[RequestContext] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append(REQUEST_CONTEXT.get())
        await echo(scope, receive, send)

    call(RequestGuard(app), headers={"X-Request-ID": "order-66", "X-Session-ID": "anna"})
    answered = call(RequestGuard(app), headers={"X-Session-ID": ""})[1]
    assert [(c.request_id, c.session) for c in told] == [("order-66", "anna"), (answered["x-request-id"], "")]
    assert 0 <= told[0].milliseconds() < told[0].milliseconds() + 1


def test_a_caller_that_leaves_is_passed_on() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["type"])
        await echo(scope, leave, send)

    async def leave() -> dict[str, Any]:
        return {"type": "http.disconnect", "body": b"", "more_body": False}

    async def run(scope: Any, receive: Any, send: Any) -> None:
        await RequestGuard(app)(scope, leave, send)

    call(run)
    assert seen == ["http.disconnect"]


def test_settings_come_from_the_environment() -> None:
    found = Settings.read({"CREDENCE_API_KEYS": f" {KEY}, {OTHER},", "CREDENCE_RATE": "2.5", "CREDENCE_WORKERS": "3"})
    assert [k.get_secret_value() for k in found.api_keys] == [KEY, OTHER]
    assert (found.rate, found.workers) == (2.5, 3)
    assert "secret" not in repr(found) + str(found)
    assert Settings.read({"CREDENCE_RATE": " "}) == Settings()
    assert (Settings().log, Settings().follow, Settings().log_days) == (True, True, None)
    quiet = Settings.read({"CREDENCE_LOG": "off", "CREDENCE_FOLLOW": "off", "CREDENCE_LOG_DAYS": "30"})
    assert (quiet.log, quiet.follow, quiet.log_days) == (False, False, 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE", "fast"),
        ("RATE", "0"),
        ("RATE", "-1"),
        ("RATE", "inf"),
        ("RATE", "nan"),
        ("WORKERS", "0"),
        ("WORKERS", "2.5"),
        ("WORKERS", "many"),
        ("LOG", "maybe"),
        ("FOLLOW", "2"),
        ("LOG_DAYS", "0"),
        ("LOG_DAYS", "long"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=rf"^CREDENCE_{name} is '{value}'; expected .*\.$"):
        Settings.read({f"CREDENCE_{name}": value})


def test_a_short_key_is_refused_and_not_shown() -> None:
    with pytest.raises(InputError, match="too short") as refused:
        Settings.read({"CREDENCE_API_KEYS": f"{KEY},1234567"})
    assert "1234567" not in str(refused.value)
