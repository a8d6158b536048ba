"""A language model provider: its rate limits, its key, and one attempt at a request."""

import os
import re

from pydantic import Field, field_validator

from credence.core.errors import InputError
from credence.core.registry import KindSpec, StrictModel
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.prices import Price


class RateLimits(StrictModel):
    """What the account allows: requests and tokens per minute (null: no such limit), and calls at the same time."""

    rpm: int | None = Field(60, ge=1)
    tpm: int | None = Field(None, ge=1)
    in_flight: int = Field(256, ge=1, le=256)


class ProviderSpec(KindSpec):
    """One language model and the way to it; `price` where the price file does not have the model."""

    family = "providers"
    price: Price | None = None


class Provider(StrictModel):
    """One model at one place. It never retries, never waits for its turn and never reads what the text means."""

    name: str = Field(min_length=1)
    model: str = Field(min_length=1)
    key_env: str | None = None
    limits: RateLimits = RateLimits()

    @field_validator("key_env")
    @classmethod
    def _names_a_variable(cls, key_env: str | None) -> str | None:
        """A key that was written here by mistake must not be shown by an error or kept with the task."""
        if key_env is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", key_env):
            raise InputError("expected the name of an environment variable in capitals; the key itself goes into that.")
        return key_env

    async def complete(self, request: Request) -> Reply:
        """One attempt. Whatever the server does is a Reply; BadInput only where nothing could be asked."""
        raise NotImplementedError

    def with_max_tokens(self, request: Request) -> Request:
        """The request with all the tokens that its reply may cost here."""
        return request

    async def close(self) -> None:
        """Give the connections back; the next request opens new ones."""

    def key(self) -> str | None:
        """The key from the environment, None where the server asks for none. Raises BadInput where it is missing."""
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
