"""OpenAI models and servers with the same chat completions API: DeepSeek, Together, vLLM, Ollama."""

import json
from typing import Any, ClassVar, Literal

import openai
from pydantic import Field, model_validator

from credence.generation.llm.messages import ReplyKind, Request, Usage
from credence.generation.providers._remote import RemoteProvider, host_of
from credence.generation.providers._response import HttpResponse, ReplyContent, token_count, value_at

NO_KEY = "none"  # the SDK requires a key; a server that needs none ignores it


class Openai(RemoteProvider):
    """The chat completions API."""

    sdk: ClassVar = openai
    name: str = Field("openai", min_length=1, description="the provider's name; default for another server: its host")
    base_url: str = Field("https://api.openai.com/v1", description="address of the server")
    key_env: str | None = Field("OPENAI_API_KEY", description="the environment variable that holds the API key")
    replies: Literal["json_schema", "json_object", "none"] = Field(
        "json_schema", description="how the server enforces the reply's JSON; none: by the prompt only"
    )
    tokens_key: Literal["max_completion_tokens", "max_tokens"] = Field(
        "max_completion_tokens", description="the parameter for the maximum of output tokens"
    )
    thinking_tokens: int = Field(0, ge=0, description="tokens added to that maximum for the model's reasoning")
    seeded: bool = Field(False, description="send a seed, derived from the request's id")

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_host(cls, given: Any) -> Any:
        """Name a provider by its host, so that records tell which of the compatible servers answered."""
        if not isinstance(given, dict) or "name" in given or not isinstance(given.get("base_url"), str):
            return given
        return given | {"name": host_of(given["base_url"])}

    def with_max_tokens(self, request: Request) -> Request:
        """Add `thinking_tokens` to the maximum, since reasoning counts as output."""
        return request.model_copy(update={"max_tokens": request.max_tokens + self.thinking_tokens})

    def _connect(self, key: str | None) -> openai.AsyncOpenAI:
        client = openai.AsyncOpenAI(api_key=key or NO_KEY, **self._http())
        if self._elsewhere():
            client.organization = client.project = None  # from the environment; not for another company's server
        return client

    async def _call(self, client: openai.AsyncOpenAI, request: Request) -> HttpResponse:
        raw = await client.chat.completions.with_raw_response.create(**self._parameters(request))
        return HttpResponse(raw.status_code, dict(raw.headers), raw.content)

    def _parameters(self, request: Request) -> dict[str, Any]:
        messages = [{"role": "system", "content": self._system(request)}, {"role": "user", "content": request.user}]
        seed = {"seed": int(request.id[:7], 16)} if self.seeded else {}
        form, most = self._form(request.schema_), self.with_max_tokens(request).max_tokens
        return {"model": request.model, "messages": messages, self.tokens_key: most, **seed, **form}

    def _form(self, schema: dict[str, Any] | None) -> dict[str, Any]:
        if schema is None or self.replies == "none":
            return {}
        if self.replies == "json_object":
            return {"response_format": {"type": "json_object"}}
        named = {"name": "reply", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": named}}

    def _system(self, request: Request) -> str:
        """Return the system message, with the schema appended for a server that cannot enforce it."""
        if request.schema_ is None or self.replies == "json_schema":
            return request.system
        schema = json.dumps(request.schema_, sort_keys=True)
        return f"{request.system}\n\nAnswer with one JSON object and nothing else. It fits this JSON schema: {schema}"

    def _content(self, body: dict[str, Any]) -> ReplyContent | None:
        message, finish = value_at(body, "choices", 0, "message"), value_at(body, "choices", 0, "finish_reason")
        text, refusal = value_at(message, "content"), value_at(message, "refusal")
        if not isinstance(message, dict) or not isinstance(text, str | None):
            return None
        if refusal or finish == "content_filter":
            return ReplyContent("refusal", refusal if isinstance(refusal, str) else text)
        kind: ReplyKind = "truncated" if finish == "length" else "ok" if text and text.strip() else "empty"
        return ReplyContent(kind, text)

    def _usage(self, counted: Any) -> Usage | None:
        read, written = token_count(counted, "prompt_tokens"), token_count(counted, "completion_tokens")
        if read is None or written is None:
            return None
        total, hit = (
            token_count(counted, "total_tokens") or 0,
            token_count(counted, "prompt_cache_hit_tokens"),
        )  # DeepSeek's name
        return Usage(
            input=read,
            output=max(written, total - read),  # Grok and Gemini count reasoning only in the total
            cached=token_count(counted, "prompt_tokens_details", "cached_tokens") or hit or 0,
            reasoning=token_count(counted, "completion_tokens_details", "reasoning_tokens") or 0,
        )
