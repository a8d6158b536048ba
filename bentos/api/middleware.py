"""ASGI middleware before every handler: API keys, rate limit, body size, request id."""

import hmac
import json
import math
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from bentos.runtime.request_context import REQUEST_CONTEXT, RequestContext

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/health", "/metrics"})
MEBIBYTE = 1 << 20
MAX_BODY_BYTES = MEBIBYTE
LARGE_PATHS = frozenset({"/batch_predict", "/feedback"})
MAX_BATCH_BYTES = 16 * MEBIBYTE
REQUEST_ID_PATTERN = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
MAX_CALLERS = 10_000


class RequestRefused(Exception):
    """A request that is answered at once with this HTTP status, sentence and headers."""

    def __init__(self, status: int, sentence: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers


class TokenBuckets:
    """One token bucket per caller: `rate` requests per second, bursts of twice that (at least one).

    The 10,000 callers seen last are kept.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.size, self.clock = rate, max(2 * rate, 1.0), clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait(self, caller: bytes) -> float:
        """Take a token and return 0, or return the seconds until the next token."""
        now = self.clock()
        left, then = self._left.pop(caller, (self.size, now))
        left = min(self.size, left + (now - then) * self.rate)
        self._left[caller] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > MAX_CALLERS:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self.rate


class RequestGuard:
    """Check key, rate and size of a request and set its id. Keys are never written to an answer or a log.

    Args:
        app: The ASGI application behind this middleware.
        keys: Accepted API keys; none means that every caller is accepted.
        rate: Requests per second for each caller; None means no limit.
    """

    def __init__(self, app: App, keys: Sequence[str] = (), rate: float | None = None) -> None:
        self.app = app
        self._keys = [k.encode() for k in keys]
        self._buckets = TokenBuckets(rate) if rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, 413 or 429 with one sentence as JSON, or call the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        identity = request_id(headers.get(b"x-request-id", b""))
        send_reply = _with_id(send, identity)
        try:
            if scope["path"] not in OPEN_PATHS:
                self._check_rate(self._caller(headers, scope))
                limit = MAX_BATCH_BYTES if scope["path"] in LARGE_PATHS else MAX_BODY_BYTES
                receive = await read_body(receive, headers, limit)
        except RequestRefused as refused:
            await _send_refusal(send_reply, refused)
        else:
            REQUEST_CONTEXT.set(RequestContext(identity.decode(), headers.get(b"x-session-id", b"").decode("latin-1")))
            await self.app(scope, receive, send_reply)

    def _caller(self, headers: dict[bytes, bytes], scope: Scope) -> bytes:
        """Return the caller's key, or the client address if no key is required."""
        if not self._keys:
            return str((scope.get("client") or ("",))[0]).encode()
        given = headers.get(b"x-api-key") or _bearer(headers.get(b"authorization", b""))
        # Compare with every key in constant time, so that timing reveals nothing about them.
        known = [key for key in self._keys if hmac.compare_digest(key, given)]
        if not known:
            raise RequestRefused(401, "no known API key; send one as X-API-Key or as Authorization: Bearer.", BEARER)
        return known[0]

    def _check_rate(self, caller: bytes) -> None:
        wait = self._buckets.wait(caller) if self._buckets else 0.0
        if wait:
            later = str(math.ceil(wait))
            raise RequestRefused(429, f"too many requests; try again in {later} s.", [(b"retry-after", later.encode())])


BEARER = [(b"www-authenticate", b"Bearer")]


def _bearer(authorization: bytes) -> bytes:
    scheme, _, token = authorization.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def request_id(given: bytes) -> bytes:
    """Return the caller's id if it has 1 to 64 characters of A-Z a-z 0-9 . _ : -, otherwise a new one."""
    return given if REQUEST_ID_PATTERN.fullmatch(given) else uuid.uuid4().hex.encode()


async def read_body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> Receive:
    """Read a whole body and return an ASGI `receive` that yields it as one message.

    Args:
        receive: The server's ASGI `receive`.
        headers: Request headers, names in lower case.
        limit: Maximum size in bytes.

    Raises:
        RequestRefused: The body is larger than `limit` (status 413).
    """
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return _replay([message], receive)
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise _too_large(limit)
    return _replay([{"type": "http.request", "body": bytes(body), "more_body": False}], receive)


def _too_large(limit: int) -> RequestRefused:
    sentence = f"the body is larger than {limit // MEBIBYTE} MiB; send fewer rows at a time."
    return RequestRefused(413, sentence, [(b"connection", b"close")])


def _replay(messages: list[Message], receive: Receive) -> Receive:
    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


def _with_id(send: Send, identity: bytes) -> Send:
    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity)]
        await send(message)

    return send_with_id


async def _send_refusal(send: Send, refused: RequestRefused) -> None:
    body = json.dumps({"error": refused.sentence, "field": None}).encode()
    length = (b"content-length", str(len(body)).encode())
    headers = [(b"content-type", b"application/json"), length, *refused.headers]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
