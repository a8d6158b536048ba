"""The faults of the fake server: everything that was seen to go wrong between a client and a provider."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.fakes.fake_wire import Wire

LONG = 3600.0


@dataclass(frozen=True)
class Fault:
    """A kind of FAULTS, with headers and seconds for those that take them."""

    kind: str
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = LONG

    @classmethod
    def of(cls, said: Any) -> Self:
        return cls(said) if isinstance(said, str) else cls(**said)


Act = Callable[[Wire, Request, dict[str, Any], Fault], Awaitable[Response]]


def status(code: int, type_: str, named: str | None = None, **headers: str) -> Act:
    async def act(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return JSONResponse(wire.failure(type_, named, f"scripted {code}"), code, wire.headers | told | fault.headers)

    return act


def reply(text: str, end: str = "stop") -> Act:
    async def act(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
        return JSONResponse(wire.success(body, text, end), headers=wire.headers)

    return act


def body(content: bytes, kind: str = "application/json") -> Act:
    async def act(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
        return Response(content, media_type=kind)

    return act


async def late_date(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    told = wire.failure("rate_limit_error", None, "scripted 429")
    headers = {"date": formatdate(1_000_000, usegmt=True), "retry-after": formatdate(1_000_007, usegmt=True)}
    return JSONResponse(told, 429, headers)


async def hang(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    """Say nothing until the caller is gone."""
    for _ in range(int(fault.seconds / 0.02)):
        if await request.is_disconnected():
            break
        await asyncio.sleep(0.02)
    return Response(status_code=204)


async def drip(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    """A blank line now and then, as some servers keep a connection alive, and the reply after `seconds`."""

    async def lines() -> AsyncIterator[bytes]:
        for _ in range(int(fault.seconds / 0.05)):
            yield b"\n"
            await asyncio.sleep(0.05)
        yield json.dumps(wire.success(body, '{"items": []}')).encode()

    return StreamingResponse(lines(), media_type="application/json")


def abort(request: Request) -> None:
    """Drop the connection as a crashed server does."""
    request._receive.__self__.transport.abort()  # type: ignore[attr-defined]


async def reset(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    abort(request)
    return Response(status_code=204)


async def broken_off(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    """Half a body, then the end of the connection."""
    whole = json.dumps(wire.success(body, "half of this is lost")).encode()

    async def half() -> AsyncIterator[bytes]:
        yield whole[: len(whole) // 2]
        await asyncio.sleep(0.05)
        abort(request)
        await asyncio.Event().wait()  # until Starlette sees that the caller is gone

    return StreamingResponse(half(), headers={"content-length": str(len(whole))})


async def cut_json(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    whole = json.dumps(wire.success(body, "cut")).encode()
    return Response(whole[: len(whole) // 2], media_type="application/json")


async def half_surrogate(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    return Response(json.dumps(wire.success(body, "\ud800")), media_type="application/json")


async def bad_envelope(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    """The right JSON of another service; the usage is there and was paid for."""
    return JSONResponse({"result": "hello", "usage": wire.success(body, "hello")["usage"]}, headers=wire.headers)


async def error_in_success(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    return JSONResponse(wire.failure("upstream_error", "bad_gateway", "scripted"), 200)


async def tells_key(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    """An answer that repeats the key, in body and header."""
    key = request.headers.get("x-api-key") or request.headers["authorization"].removeprefix("Bearer ")
    told = wire.failure("authentication_error", "invalid_api_key", f"Incorrect API key provided: {key}")
    return JSONResponse(told, 401, {"x-ratelimit-owner": key, "set-cookie": f"k={key}"})


async def elsewhere(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    return Response(status_code=307, headers={"location": "/v1/elsewhere"})


async def cut_stream(wire: Wire, request: Request, body: dict[str, Any], fault: Fault) -> Response:
    """A stream that says in its middle that it failed."""

    async def events() -> AsyncIterator[str]:
        name, data = next(iter(wire.stream(body, "one two three")))
        yield (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"
        yield f"event: error\ndata: {json.dumps(wire.failure('overloaded_error', None, 'scripted'))}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


FAULTS: dict[str, Act] = {
    "429": status(429, "rate_limit_error", None, retry_after="2"),
    "429_ms": status(429, "rate_limit_error", None, retry_after_ms="1500"),
    "429_date": late_date,
    "429_hour": status(429, "rate_limit_error", None, retry_after="3600"),
    "429_bare": status(429, "rate_limit_error"),
    "quota": status(429, "insufficient_quota", "insufficient_quota"),
    "spend_limit": status(429, "rate_limit_error", "enforced_spend_limit_reached"),
    "400": status(400, "invalid_request_error"),
    "401": status(401, "authentication_error"),
    "402": status(402, "billing_error"),
    "403": status(403, "permission_error"),
    "404": status(404, "not_found_error"),
    "408": status(408, "timeout_error"),
    "409": status(409, "conflict_error"),
    "413": status(413, "request_too_large"),
    "422": status(422, "invalid_request_error"),
    "500": status(500, "api_error"),
    "503": status(503, "api_error"),
    "529": status(529, "overloaded_error"),
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "broken_off": broken_off,
    "cut_json": cut_json,
    "html": body(b"<html><body>502 Bad Gateway</body></html>", "text/html"),
    "bad_envelope": bad_envelope,
    "error_in_success": error_in_success,
    "nothing": body(b""),
    "not_utf8": body(b'{"id": "\xff\xfe"}'),
    "deep": body(b"[" * 200_000),
    "half_surrogate": half_surrogate,
    "redirect": elsewhere,
    "tells_key": tells_key,
    "cut_stream": cut_stream,
    "truncated": reply('{"items": [{"category": "compar', "length"),
    "wrong_schema": reply('{"rows": 7}'),
    "fence": reply('Here you are:\n```json\n{"items": []}\n```'),
    "prose": reply("I would rather talk about the weather."),
    "empty": reply(""),
    "blank": reply("  \n"),
    "refusal": reply("I cannot help with that.", "refusal"),
}
TRANSIENT = [
    "429",
    "429_ms",
    "429_bare",
    "500",
    "503",
    "529",
    "408",
    "409",
    "hang",
    "drip",
    "reset",
    "cut_json",
    "html",
    "bad_envelope",
    "truncated",
    "wrong_schema",
    "fence",
    "empty",
    "refusal",
]
