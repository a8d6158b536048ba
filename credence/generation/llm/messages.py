"""What is asked of a language model, and everything that is known about its reply."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field

from credence.core.canonical_json import json_digest
from credence.core.registry import StrictModel

ReplyKind = Literal["ok", "truncated", "refusal", "empty", "http", "network", "deadline", "envelope"]


class Request(StrictModel):
    """One call: two messages, the JSON schema of the reply, and the most tokens it may take."""

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
        """The digest of everything above: the same request is the same id on every machine."""
        return json_digest(self.model_dump())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields has another id."""
        copied = super().model_copy(update=update, deep=deep)
        if copied.__dict__ != self.__dict__:
            copied.__dict__.pop("id", None)
        return copied


class Usage(StrictModel):
    """Tokens as the provider counted them: `cached` is a part of `input`, `reasoning` a part of `output`."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cached: int = Field(0, ge=0)
    reasoning: int = Field(0, ge=0)


class Reply(StrictModel):
    """How one attempt ended. `raw` is the body as it came; a failed attempt keeps whatever usage it reported."""

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
