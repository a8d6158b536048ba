"""A request and its reply, as they lie in the ledger: JSON, compressed."""

import json
from typing import cast

import pyarrow as pa

from credence.llm.messages import Reply, Request

CODEC = pa.Codec("zstd")
LENGTH = 4


def packed(request: Request, reply: Reply) -> bytes:
    """Both, behind the length that they have unpacked."""
    text = json.dumps({"request": request.model_dump(), "reply": reply.model_dump(mode="json")}).encode()
    return len(text).to_bytes(LENGTH, "big") + cast(bytes, CODEC.compress(text, asbytes=True))


def unpacked(exchange: bytes) -> tuple[Request, Reply]:
    """Both again."""
    length = int.from_bytes(exchange[:LENGTH], "big")
    found = json.loads(cast(bytes, CODEC.decompress(exchange[LENGTH:], length, asbytes=True)))
    return Request(**found["request"]), Reply.model_validate_json(json.dumps(found["reply"]))
