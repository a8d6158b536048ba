"""Requests to language models and their replies."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field

from credence.core.canonical_json import json_digest
from credence.core.registry import StrictModel

ReplyKind = Literal["ok", "truncated", "refusal", "empty", "http", "network", "deadline", "envelope"]


class Request(StrictModel):
    """One call to a model.

    Attributes:
        provider: The provider's name.
        model: The model's name.
        system: The system message.
        user: The user message.
        schema_: JSON schema of the reply; None for free text.
        max_tokens: Maximum output tokens.
        sample: Number of the sample; another number is another request, past the cache.
        template: Name and version of the prompt.
    """

    provider: str
    model: str
    system: str
    user: str
    schema_: dict[str, Any] | None = None
    max_tokens: int = Field(gt=0)
    sample: int = Field(0, ge=0)
    template: str = ""

    @cached_property
    def id(self) -> str:
        """Return the digest of all fields; equal for equal requests on every machine."""
        return json_digest(self.model_dump())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the request and drop the cached id if a field differs."""
        copied = super().model_copy(update=update, deep=deep)
        if copied.__dict__ != self.__dict__:
            copied.__dict__.pop("id", None)
        return copied


class Usage(StrictModel):
    """Tokens as the provider counted them; `cached` is part of `input`, `reasoning` is part of `output`."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cached: int = Field(0, ge=0)
    reasoning: int = Field(0, ge=0)


class Reply(StrictModel):
    """The outcome of one call.

    Attributes:
        kind: How it ended.
        text: The model's text.
        raw: The body as received.
        usage: Tokens counted by the provider, also for a failed call if it reported them.
        headers: Response headers.
        status: HTTP status.
        provider_id: The provider's id of the call.
        latency: Seconds.
        retry_after: Seconds of pause that the server asked for.
        error_type: The server's error type, or the name of our exception.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")
    kind: ReplyKind
    text: str | None = None
    raw: bytes = b""
    usage: Usage | None = None
    headers: dict[str, str] = {}
    status: int | None = None
    provider_id: str | None = None
    latency: float = Field(0.0, ge=0)
    retry_after: float | None = None
    error_type: str | None = None
