"""Base class of language model providers: rate limits, API key, one call."""

import os
import re

from pydantic import Field, field_validator

from credence.core.errors import InputError
from credence.core.registry import KindSpec, StrictModel
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.prices import Price


class RateLimits(StrictModel):
    """Limits of the account."""

    rpm: int | None = Field(60, ge=1, description="requests per minute; null: no limit")
    tpm: int | None = Field(None, ge=1, description="tokens per minute; null: no limit")
    in_flight: int = Field(256, ge=1, le=256, description="calls at the same time")


class ProviderSpec(KindSpec):
    """A provider in a task: its kind, its parameters, and `price` if the price file does not have the model."""

    family = "providers"
    price: Price | None = Field(None, description="dollars per million tokens, for a model without a known price")


class Provider(StrictModel):
    """One model at one address. It makes single calls; retries, rate limits and parsing happen elsewhere."""

    name: str = Field(min_length=1, description="the provider's name, unique in the task")
    model: str = Field(min_length=1, description="the model's name")
    key_env: str | None = Field(None, description="the environment variable that holds the API key; null: no key")
    limits: RateLimits = Field(RateLimits(), description="limits of the account")

    @field_validator("key_env")
    @classmethod
    def _names_a_variable(cls, key_env: str | None) -> str | None:
        """Reject a key written here by mistake, without showing it in the message."""
        if key_env is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", key_env):
            raise InputError("expected the name of an environment variable in capitals; the key itself goes into that.")
        return key_env

    async def complete(self, request: Request) -> Reply:
        """Make one call. Every outcome at the server is a Reply.

        Raises:
            InputError: No call could be made, such as without a key.
        """
        raise NotImplementedError

    def with_max_tokens(self, request: Request) -> Request:
        """Return the request with the maximum of output tokens that may be charged here."""
        return request

    async def close(self) -> None:
        """Close connections; the next request opens new ones."""

    def key(self) -> str | None:
        """Read the API key from the environment; None if no key is needed.

        Raises:
            InputError: The variable is not set, or its value cannot be a key.
        """
        if self.key_env is None:
            return None
        key = os.environ.get(self.key_env, "").strip()
        if not key:
            raise InputError(
                f"provider {self.name!r} takes its key from the environment variable {self.key_env}, which is not set; "
                f"set it, or choose kind: offline, which needs no key."
            )
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise InputError(
                f"provider {self.name!r}: {self.key_env} holds a space, a line break or another character "
                "that no key has; copy the key again."
            )
        return key
