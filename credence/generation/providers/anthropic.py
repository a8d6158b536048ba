"""Claude models. Their sampling has no seed: two replies to one request may differ."""

from typing import Any, ClassVar

import anthropic
from pydantic import Field, field_validator

from credence.core.errors import InputError
from credence.generation.llm.messages import ReplyKind, Request, Usage
from credence.generation.providers._remote import RemoteProvider
from credence.generation.providers._response import HttpResponse, ReplyContent, token_count, value_at

MAX_TOKENS = 4096
NO_KEY = "none"  # without a key the SDK would search the disk for credentials
ENDS: dict[str | None, ReplyKind] = {
    "refusal": "refusal",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
}


class Anthropic(RemoteProvider):
    """The messages API without streaming; a reply has at most 4,096 tokens."""

    sdk: ClassVar = anthropic
    name: str = Field("anthropic", min_length=1)
    base_url: str = "https://api.anthropic.com"
    key_env: str | None = "ANTHROPIC_API_KEY"

    @field_validator("base_url")
    @classmethod
    def _without_version(cls, url: str) -> str:
        if url.endswith("/v1"):
            raise InputError(f"{url!r} ends in /v1, which the SDK adds itself; write {url.removesuffix('/v1')!r}.")
        return url

    def _connect(self, key: str | None) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(api_key=key or NO_KEY, open_telemetry=False, **self._http())

    async def _call(self, client: anthropic.AsyncAnthropic, request: Request) -> HttpResponse:
        raw = await client.messages.with_raw_response.create(**_parameters(request))
        return HttpResponse(raw.status_code, dict(raw.headers), await raw.read())

    def _content(self, body: dict[str, Any]) -> ReplyContent | None:
        blocks, end = body.get("content"), body.get("stop_reason")
        if body.get("type") != "message" or not isinstance(blocks, list) or not isinstance(end, str | None):
            return None
        texts = [value_at(block, "text") for block in blocks if value_at(block, "type") == "text"]
        if not all(isinstance(text, str) for text in texts):
            return None
        text = "".join(texts)
        return ReplyContent(ENDS.get(end) or ("ok" if text.strip() else "empty"), text or None)

    def _usage(self, counted: Any) -> Usage | None:
        read, written = token_count(counted, "input_tokens"), token_count(counted, "output_tokens")
        if read is None or written is None:
            return None
        # input_tokens excludes tokens read from and written to the prompt cache
        cached = token_count(counted, "cache_read_input_tokens") or 0
        return Usage(
            input=read + cached + (token_count(counted, "cache_creation_input_tokens") or 0),
            output=written,
            cached=cached,
            reasoning=token_count(counted, "output_tokens_details", "thinking_tokens") or 0,
        )


def _parameters(request: Request) -> dict[str, Any]:
    form = {"output_config": {"format": {"type": "json_schema", "schema": request.schema_}}} if request.schema_ else {}
    return {
        "model": request.model,
        "max_tokens": min(request.max_tokens, MAX_TOKENS),
        "system": request.system,
        "messages": [{"role": "user", "content": request.user}],
        **form,
    }
