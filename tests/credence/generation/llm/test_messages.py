"""Requests and replies: one request has one id on every machine, and a reply survives being written down."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from credence.generation.llm.messages import Reply, Request, Usage

GIVEN: dict[str, Any] = {
    "provider": "openai",
    "model": "m",
    "system": "s",
    "user": "u",
    "schema_": {"type": "object"},
    "max_tokens": 9,
    "sample": 0,
    "template": "t@1",
}
OTHER = GIVEN | {
    "provider": "other",
    "model": "n",
    "system": "S",
    "user": "U",
    "schema_": None,
    "max_tokens": 10,
    "sample": 1,
    "template": "t@2",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_id_of_a_request_is_the_same_in_another_process() -> None:
    code = f"from credence.generation.llm.messages import Request; print(Request(**{GIVEN!r}).id)"
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == Request(**GIVEN).id


@pytest.mark.parametrize("field", GIVEN)
def test_every_part_of_a_request_counts(field: str) -> None:
    assert set(GIVEN) == set(Request.model_fields)
    assert Request(**(GIVEN | {field: OTHER[field]})).id != Request(**GIVEN).id


def test_the_order_of_a_schema_and_the_spelling_of_an_accent_do_not_count() -> None:
    one = Request(**(GIVEN | {"schema_": {"a": 1, "b": 2}, "user": "é"}))
    assert one.id == Request(**(GIVEN | {"schema_": {"b": 2, "a": 1}, "user": "é"})).id


@given(text=st.none() | TEXT, raw=st.binary(), headers=st.dictionaries(TEXT, TEXT), counts=st.lists(st.integers(0)))
def test_a_reply_survives_json(text: str | None, raw: bytes, headers: dict[str, str], counts: list[int]) -> None:
    usage = Usage(input=counts[0], output=counts[1]) if len(counts) > 1 else None
    reply = Reply(kind="ok", text=text, raw=raw, headers=headers, usage=usage, latency=0.25, status=200)
    assert Reply.model_validate_json(reply.model_dump_json()) == reply


def test_messages_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError):
        Reply(kind="fine")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Request(**(GIVEN | {"temperature": 1}))
    with pytest.raises(ValidationError):
        Usage(input=-1, output=0)
