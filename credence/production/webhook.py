"""Post a message to a webhook, with bounded retries; the URL never appears in a log."""

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
    """Post a JSON body; up to three tries with a timeout of 5 s each.

    Args:
        url: The webhook's URL.
        body: The JSON body.
        secret: Key of the HMAC-SHA256 of the body, sent as `sha256=<hex>` in the header X-Credence-Signature.

    Returns:
        `delivered`, or `failed: ` and the reason. Errors that a retry cannot mend are tried once.
    """
    headers = {"Content-Type": "application/json"}
    if secret:
        headers[SIGNED] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    with _without_request_logs():
        for pause in (*PAUSES, None):
            again, outcome = _once(url, body, headers)
            if not again or pause is None:
                break
            time.sleep(pause)
    return outcome


def webhook_host(url: str) -> str:
    """The host of a webhook's URL, the only part that may be shown: the rest is a secret."""
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return "?"


def _once(url: str, body: bytes, headers: dict[str, str]) -> tuple[bool, str]:
    """One try: (a retry may help, outcome). The response body is not read, because it may never end."""
    try:
        with httpx.stream("POST", url, content=body, headers=headers, timeout=SECONDS) as response:
            status = response.status_code
    except httpx.TimeoutException:
        return True, f"failed: no answer within {SECONDS:g} s"
    except httpx.TransportError:
        return True, "failed: no connection"
    except httpx.InvalidURL:
        return False, "failed: the address is not a URL"
    if status < 300:
        return False, DELIVERED
    return status >= 500 or status == 429, f"failed: status {status}"


@contextmanager
def _without_request_logs() -> Iterator[None]:
    """Drop httpx's log records of requests, which contain the whole URL."""
    logger = logging.getLogger("httpx")
    logger.addFilter(_is_warning)
    try:
        yield
    finally:
        logger.removeFilter(_is_warning)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
