"""Reading answers: nothing that a server can send raises, and nothing is made up from what it did not say."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.registry import load_kind
from credence.generation.llm.messages import Reply
from credence.generation.providers._response import (
    HttpResponse,
    error_type,
    kept_headers,
    parse_document,
    retry_after,
    token_count,
    value_at,
)

OPENAI = load_kind("providers", "openai")(model="m")
ANTHROPIC = load_kind("providers", "anthropic")(model="m")
GOOD = {
    "openai": {
        "id": "chatcmpl-1",
        "choices": [{"message": {"content": "yes", "refusal": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    },
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "content": [{"type": "text", "text": "y"}, {"type": "text", "text": "es"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 2},
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
each_kind = pytest.mark.parametrize("kind", ["openai", "anthropic"])


def read(kind: str, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    made = {"openai": OPENAI, "anthropic": ANTHROPIC}[kind]
    reply: Reply = made._reply(HttpResponse(status, headers or {}, raw), 0.5)
    assert Reply.model_validate_json(reply.model_dump_json()) == reply
    return reply


def places(value: Any) -> list[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(key, *rest) for key, inner in inside for rest in [(), *places(inner)]]


def with_other(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The JSON value with something else at one place."""
    copy = json.loads(json.dumps(value))
    value_at(copy, *path[:-1])[path[-1]] = other
    return copy


@each_kind
@given(body=JSON, status=st.sampled_from([200, 201, 400, 429, 500]))
def test_any_json_gives_a_reply_without_a_text(kind: str, body: Any, status: int) -> None:
    reply = read(kind, body, status)
    assert (reply.kind, reply.text) == ("envelope" if status < 300 else "http", None)


@each_kind
@given(data=st.data(), other=JSON)
def test_a_good_reply_with_anything_in_one_place_is_read_or_refused(kind: str, data: st.DataObject, other: Any) -> None:
    path = data.draw(st.sampled_from(places(GOOD[kind])))
    reply = read(kind, with_other(GOOD[kind], path, other))
    assert reply.kind in ("ok", "empty", "envelope", "refusal", "truncated")
    assert (reply.kind == "ok") <= bool(reply.text and reply.text.strip())


@each_kind
@given(body=st.binary(max_size=200))
def test_any_bytes_give_a_reply_that_keeps_them(kind: str, body: bytes) -> None:
    assert read(kind, body).raw == body


@each_kind
def test_a_good_reply_is_read(kind: str) -> None:
    reply = read(kind, GOOD[kind])
    assert (reply.kind, reply.text, reply.usage and (reply.usage.input, reply.usage.output)) == ("ok", "yes", (5, 2))


@each_kind
@pytest.mark.parametrize("count", [-1, 1.5, True, "7", None, 10**30])
def test_a_usage_that_cannot_be_one_is_none_rather_than_nothing_spent(kind: str, count: Any) -> None:
    name = "completion_tokens" if kind == "openai" else "output_tokens"
    assert read(kind, with_other(GOOD[kind], ("usage", name), count)).usage is None


@pytest.mark.parametrize(
    ("kind", "path", "value", "expected"),
    [
        ("openai", ("choices", 0, "finish_reason"), "length", "truncated"),
        ("openai", ("choices", 0, "finish_reason"), "content_filter", "refusal"),
        ("openai", ("choices", 0, "message", "refusal"), "No.", "refusal"),
        ("openai", ("choices", 0, "message", "content"), None, "empty"),
        ("openai", ("choices", 0, "message", "content"), [{"type": "text"}], "envelope"),
        ("openai", ("choices",), [], "envelope"),
        ("anthropic", ("stop_reason",), "max_tokens", "truncated"),
        ("anthropic", ("stop_reason",), "model_context_window_exceeded", "truncated"),
        ("anthropic", ("stop_reason",), "refusal", "refusal"),
        ("anthropic", ("stop_reason",), ["refusal"], "envelope"),
        ("anthropic", ("content",), [], "empty"),
        ("anthropic", ("content",), [{"type": "thinking", "thinking": "Hm."}], "empty"),
        ("anthropic", ("type",), "error", "envelope"),
    ],
)
def test_how_a_reply_ended(kind: str, path: tuple[Any, ...], value: Any, expected: str) -> None:
    assert read(kind, with_other(GOOD[kind], path, value)).kind == expected


@pytest.mark.parametrize(
    ("told", "output"),
    [
        ({"completion_tokens": 103, "total_tokens": 135}, 103),
        ({"completion_tokens": 9, "total_tokens": 135}, 103),
        ({"completion_tokens": 9, "total_tokens": 5}, 9),
        ({"completion_tokens": 9, "total_tokens": None}, 9),
    ],
)
def test_reasoning_is_paid_for_whether_it_is_counted_in_the_completion_or_beside_it(told: Any, output: int) -> None:
    usage = {"prompt_tokens": 32, "completion_tokens_details": {"reasoning_tokens": 94}} | told
    found = read("openai", with_other(GOOD["openai"], ("usage",), usage)).usage
    assert found is not None and (found.input, found.output, found.reasoning) == (32, output, 94)


@pytest.mark.parametrize(
    "told",
    [
        {"prompt_tokens_details": {"cached_tokens": 3}},
        {"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 2},
        {"prompt_tokens_details": None, "prompt_cache_hit_tokens": 3},
    ],
)
def test_what_hit_the_cache_has_two_names(told: Any) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2} | told
    found = read("openai", with_other(GOOD["openai"], ("usage",), usage)).usage
    assert found is not None and (found.input, found.cached) == (5, 3)


def test_the_text_of_a_refusal_is_kept() -> None:
    assert read("openai", with_other(GOOD["openai"], ("choices", 0, "message", "refusal"), "No.")).text == "No."


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text(max_size=40)))
def test_any_headers_give_a_wait_that_is_finite_or_none(headers: dict[str, str]) -> None:
    wait = retry_after(headers)
    assert wait is None or (wait >= 0 and math.isfinite(wait))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e300"}, 86_400.0),
        ({"retry-after-ms": "1e300"}, 86_400.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86_400.0),
        ({"retry-after": "9", "retry-after-ms": "1250"}, 1.25),
        ({"retry-after": "9", "retry-after-ms": "?"}, 9.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT", "date": "Thu, 01 Jan 1970 00:00:00 GMT"}, 100.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 -0000", "date": "Thu, 01 Jan 1970 00:01:00 GMT"}, 40.0),
    ],
)
def test_the_wait_in_headers(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after(headers) == wait


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ({"type": "t", "code": "c", "details": {"error_code": "d"}}, "d"),
        ({"type": "t", "code": "c", "details": None}, "c"),
        ({"type": "t", "code": None}, "t"),
        ({"code": 42}, "42"),
        ({"type": "t", "code": "\x1b[31mred\nline"}, "t"),
        ({"type": "t" * 100_000}, "t" * 80),
        ({}, None),
        ("overloaded", None),
    ],
)
def test_the_name_of_an_error(error: Any, name: str | None) -> None:
    assert error_type({"error": error}) == name


def test_headers_are_kept_by_name_whatever_their_case() -> None:
    headers = {"X-RateLimit-Limit-Tokens": "9", "Request-Id": "r", "Authorization": "secret", "Set-Cookie": "a"}
    assert kept_headers(headers) == {"x-ratelimit-limit-tokens": "9", "request-id": "r"}


def test_a_document_is_an_object_that_can_be_stored() -> None:
    assert parse_document(b'\n\n {"a": 1}') == {"a": 1}
    assert [parse_document(b) for b in (b"", b"[1]", b'{"a": "\\ud800"}', b"[" * 100_000, b'{"a":' * 100_000)] == [
        {}
    ] * 5


def test_what_is_not_there_is_none() -> None:
    assert [value_at({"a": [7]}, "a", 0), value_at({"a": [7]}, "a", 1), value_at(None, "a"), value_at("abc", "a")] == [
        7,
        None,
        None,
        None,
    ]
    assert [token_count({"n": 3}, "n"), token_count({"n": True}, "n"), token_count(7, "n")] == [3, None, None]


@given(key=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=30))
def test_a_key_is_struck_out_wherever_the_server_repeats_it(key: str) -> None:
    said = HttpResponse(401, {"x-owner": f"<{key}>"}, f"wrong: {key}!".encode()).without(key)
    assert (said.headers["x-owner"], said.body) == ("<[key]>", b"wrong: [key]!")
    assert HttpResponse(200, {}, b"same").without(None).body == b"same"


@pytest.mark.parametrize("key", ["x", "none", "EMPTY", "ollama"])
def test_a_placeholder_is_no_key_and_changes_no_answer(key: str) -> None:
    assert HttpResponse(200, {}, f"an {key}".encode()).without(key).body == f"an {key}".encode()
