"""Base class of providers over HTTP: key, address, timeouts, one attempt per call."""

import asyncio
import re
import time
from types import ModuleType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import httpx2
from pydantic import Field, PrivateAttr, field_validator, model_validator

from credence.core.errors import InputError
from credence.generation.llm.messages import Reply, Request, Usage
from credence.generation.llm.provider import Provider
from credence.generation.providers._response import HttpResponse, ReplyContent, build_reply, parse_document

ADDRESS = re.compile(r"https?://[!-~]+")
CONNECTIONS = httpx2.Limits(max_connections=256, max_keepalive_connections=256)


class RemoteProvider(Provider):
    """A provider called through its SDK; the SDK's retries and redirects are off."""

    sdk: ClassVar[ModuleType]
    base_url: str = Field(description="address of the server")
    connect_seconds: float = Field(5, gt=0, allow_inf_nan=False, description="time limit of a connection")
    read_seconds: float = Field(60, gt=0, allow_inf_nan=False, description="time limit between two received bytes")
    total_seconds: float = Field(120, gt=0, allow_inf_nan=False, description="time limit of a whole call")
    _client: Any = PrivateAttr(default=None)
    _loop: asyncio.AbstractEventLoop | None = PrivateAttr(default=None)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        host = host_of(url)
        if any(sign in url for sign in "@?#"):
            raise InputError(f"the address of {host} holds @, ? or #; give the plain address, and the key in key_env.")
        if not ADDRESS.fullmatch(url) or not host:
            raise InputError(f"{url!r} is no address of a server; expected one like https://host/v1.")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _key_belongs_to_the_address(self) -> Self:
        """Require `key_env` with a foreign address, so that a key is not sent to another company by default."""
        if self._elsewhere() and "key_env" not in self.model_fields_set:
            raise InputError(
                f"provider {self.name!r}: base_url is {self.base_url}, so say whose key it takes with key_env: "
                "the name of an environment variable, or null where the server asks for none."
            )
        return self

    async def complete(self, request: Request) -> Reply:
        """Make one call; network errors and time-outs are Replies too.

        Raises:
            InputError: The API key is missing.
        """
        key, start = self.key(), time.monotonic()
        try:
            # The SDK's timeout is per read: a server that sends a byte now and then would block the call forever.
            async with asyncio.timeout(self.total_seconds):
                answer = await self._attempt(request, key)
        except TimeoutError:
            return Reply(kind="deadline", latency=time.monotonic() - start, error_type="total_seconds")
        except self.sdk.APITimeoutError as error:
            return _timed_out(error, time.monotonic() - start)
        except (self.sdk.APIConnectionError, httpx2.HTTPError) as error:
            return Reply(kind="network", latency=time.monotonic() - start, error_type=_cause(error))
        return self._reply(answer.without(key), time.monotonic() - start)

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        client, loop, self._client, self._loop = self._client, self._loop, None, None
        if client is not None and loop is asyncio.get_running_loop():
            await client.close()

    async def _attempt(self, request: Request, key: str | None) -> HttpResponse:
        try:
            return await self._call(self._connected(key), request)
        except self.sdk.APIStatusError as error:
            response: httpx2.Response = error.response
            return HttpResponse(response.status_code, dict(response.headers), response.content)

    def _reply(self, answer: HttpResponse, latency: float) -> Reply:
        body = parse_document(answer.body)
        return build_reply(answer, body, self._content(body), self._usage(body.get("usage")), latency)

    def _connected(self, key: str | None) -> Any:
        """Return the SDK's client for the running event loop, to which its connections belong."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = self._connect(key), loop
            if self._elsewhere():
                # The SDKs add headers from the environment, which may hold a key meant for their own company.
                self._client._custom_headers = {}
        return self._client

    def _elsewhere(self) -> bool:
        """Return whether the address is not the default one of the SDK's company."""
        return bool(self.base_url != type(self).model_fields["base_url"].default)

    def _http(self) -> dict[str, Any]:
        """Build the SDK's HTTP settings. Redirects are not followed: they could send the key to another host."""
        timeout = httpx2.Timeout(self.read_seconds, connect=self.connect_seconds, pool=None)
        client = httpx2.AsyncClient(timeout=timeout, limits=CONNECTIONS, follow_redirects=False)
        return {"base_url": self.base_url, "max_retries": 0, "timeout": timeout, "http_client": client}

    def _connect(self, key: str | None) -> Any:
        raise NotImplementedError

    async def _call(self, client: Any, request: Request) -> HttpResponse:
        raise NotImplementedError

    def _content(self, body: dict[str, Any]) -> ReplyContent | None:
        raise NotImplementedError

    def _usage(self, counted: Any) -> Usage | None:
        raise NotImplementedError


def host_of(url: str) -> str:
    """Return host and port (if given) of an address; empty if it has no host."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return ""


def _timed_out(error: Exception, latency: float) -> Reply:
    """Build the Reply to a time-out: without a connection nothing was sent, after it the call may be billed."""
    unsent = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
    return Reply(kind="network" if unsent else "deadline", latency=latency, error_type=_cause(error))


def _cause(error: Exception) -> str:
    return type(error.__cause__ or error).__name__
