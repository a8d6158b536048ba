"""The shapes in which providers speak: chat completions, responses and messages, whole and as streams."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

Event = tuple[str | None, dict[str, Any] | str]
NUMBERS = itertools.count(1)


def words(text: str) -> list[str]:
    return text.split(" ") if text else []


def size(body: dict[str, Any]) -> int:
    return len(str(body)) // 4


@dataclass(frozen=True)
class Wire:
    """One format."""

    path: ClassVar[str]
    headers: dict[str, str] = field(default_factory=dict)

    def prompt(self, body: dict[str, Any]) -> str:
        """What the user said."""
        raise NotImplementedError

    def success(self, body: dict[str, Any], text: str, end: str = "stop") -> dict[str, Any]:
        """A whole reply; `end` is stop, length or refusal."""
        raise NotImplementedError

    def failure(self, type_: str, code: str | None, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": type_, "param": None, "code": code}}

    def stream(self, body: dict[str, Any], text: str) -> Iterator[Event]:
        raise NotImplementedError


class Chat(Wire):
    path = "/v1/chat/completions"

    def prompt(self, body: dict[str, Any]) -> str:
        return str(body["messages"][-1]["content"])

    def success(self, body: dict[str, Any], text: str, end: str = "stop") -> dict[str, Any]:
        refused = end == "refusal"
        message = {"role": "assistant", "content": None if refused else text, "refusal": text if refused else None}
        choice = {"index": 0, "message": message, "finish_reason": "stop" if refused else end, "logprobs": None}
        return self._head(body, "chat.completion") | {"choices": [choice], "usage": self._usage(body, text)}

    def stream(self, body: dict[str, Any], text: str) -> Iterator[Event]:
        head = self._head(body, "chat.completion.chunk")
        for delta in [{"role": "assistant", "content": ""}, *({"content": w + " "} for w in words(text))]:
            yield None, head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield None, head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        yield None, head | {"choices": [], "usage": self._usage(body, text)}
        yield None, "[DONE]"

    def _head(self, body: dict[str, Any], kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{next(NUMBERS)}", "object": kind, "created": 1, "model": body["model"]}

    def _usage(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        read, written = size(body), len(words(text)) + 7
        details = {"prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 2}}
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written, **details}


class Responses(Wire):
    path = "/v1/responses"

    def prompt(self, body: dict[str, Any]) -> str:
        asked = body["input"]
        return asked if isinstance(asked, str) else str(asked[-1]["content"])

    def success(self, body: dict[str, Any], text: str, end: str = "stop") -> dict[str, Any]:
        part = {"type": "refusal", "refusal": text} if end == "refusal" else self._part(text)
        return self._head(body) | {
            "status": "incomplete" if end == "length" else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if end == "length" else None,
            "output": [self._message([part])],
            "usage": self._usage(body, text),
        }

    def stream(self, body: dict[str, Any], text: str) -> Iterator[Event]:
        number, empty = itertools.count(), self._head(body) | {"status": "in_progress", "output": []}
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}

        def event(kind: str, **more: Any) -> Event:
            return kind, {"type": kind, "sequence_number": next(number), **more}

        yield event("response.created", response=empty)
        yield event("response.output_item.added", output_index=0, item=self._message([]))
        yield event("response.content_part.added", **place, part=self._part(""))
        for word in words(text):
            yield event("response.output_text.delta", **place, delta=word + " ", logprobs=[])
        yield event("response.output_text.done", **place, text=text, logprobs=[])
        yield event("response.completed", response=self.success(body, text))

    def _head(self, body: dict[str, Any]) -> dict[str, Any]:
        head = {"id": f"resp_{next(NUMBERS)}", "object": "response", "created_at": 1, "model": body["model"]}
        return head | {"error": None, "tools": [], "tool_choice": "auto", "parallel_tool_calls": True}

    def _part(self, text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": []}

    def _message(self, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}

    def _usage(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        read, written = size(body), len(words(text)) + 7
        details = {"input_tokens_details": {"cached_tokens": 3}, "output_tokens_details": {"reasoning_tokens": 2}}
        return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written, **details}


class Messages(Wire):
    path = "/v1/messages"
    ENDS: ClassVar = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}

    def prompt(self, body: dict[str, Any]) -> str:
        return str(body["messages"][-1]["content"])

    def success(self, body: dict[str, Any], text: str, end: str = "stop") -> dict[str, Any]:
        content = [{"type": "text", "text": text}] if text else []
        return self._head(body) | {
            "content": content,
            "stop_reason": self.ENDS.get(end, end),
            "stop_sequence": None,
            "usage": self._usage(body, text),
        }

    def failure(self, type_: str, code: str | None, message: str) -> dict[str, Any]:
        details = {"details": {"error_code": code}} if code else {}
        error = {"type": type_, "message": message, **details}
        return {"type": "error", "error": error, "request_id": f"req_{next(NUMBERS)}"}

    def stream(self, body: dict[str, Any], text: str) -> Iterator[Event]:
        start = self._head(body) | {"content": [], "stop_reason": None, "stop_sequence": None}
        yield self._event("message_start", message=start | {"usage": self._usage(body, "")})
        yield self._event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield self._event("ping")
        for word in words(text):
            yield self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": word + " "})
        yield self._event("content_block_stop", index=0)
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        yield self._event("message_delta", delta=end, usage={"output_tokens": len(words(text)) + 7})
        yield self._event("message_stop")

    def _event(self, kind: str, **more: Any) -> Event:
        return kind, {"type": kind, **more}

    def _head(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"id": f"msg_{next(NUMBERS)}", "type": "message", "role": "assistant", "model": body["model"]}

    def _usage(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        cache = {"cache_creation_input_tokens": 5, "cache_read_input_tokens": 3}
        return {"input_tokens": size(body), "output_tokens": len(words(text)) + 7, **cache}


WIRES = [
    Chat({"x-request-id": "req_chat"}),
    Responses({"x-request-id": "req_resp"}),
    Messages({"request-id": "req_msg"}),
]
