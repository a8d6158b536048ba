"""Post a message to a webhook: a few tries, no waiting without end, and no word of the address in any log."""

import hashlib
import hmac
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

SCHEMES = ("https://", "http://")
SIGNED = "X-Credence-Signature"
SECONDS = 5.0
PAUSES = (0.5, 2.0)
DELIVERED = "delivered"


def post_webhook(url: str, body: bytes, secret: str | None = None) -> str:
    """`delivered`, or `failed: ` and why after three tries; what is wrong with the message itself is tried once.

    With a secret, the header X-Credence-Signature holds `sha256=` and the HMAC of the body.
    """
    headers = {"Content-Type": "application/json"}
    if secret:
        headers[SIGNED] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    with _unmentioned():
        for pause in (*PAUSES, None):
            again, outcome = _once(url, body, headers)
            if not again or pause is None:
                break
            time.sleep(pause)
    return outcome


def webhook_host(url: str) -> str:
    """The part of a webhook's address that may be shown: the rest is as good as a password."""
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return "?"


def _once(url: str, body: bytes, headers: dict[str, str]) -> tuple[bool, str]:
    """Whether another try may help, and the outcome of this one. The answer's body is not read: it may never end."""
    try:
        with httpx.stream("POST", url, content=body, headers=headers, timeout=SECONDS) as response:
            status = response.status_code
    except httpx.TimeoutException:
        return True, f"failed: no answer within {SECONDS:g} s"
    except httpx.TransportError:
        return True, "failed: no connection"
    except httpx.InvalidURL:
        return False, "failed: the address is no URL"
    if status < 300:
        return False, DELIVERED
    return status >= 500 or status == 429, f"failed: status {status}"


@contextmanager
def _unmentioned() -> Iterator[None]:
    """httpx tells its log the whole address of every request."""
    logger = logging.getLogger("httpx")
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
