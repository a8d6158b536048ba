"""The text of a reply: one fence is taken off, nothing is repaired, and no text whatever breaks the reader."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.generation.llm.retry import UnusableReply
from credence.generation.writers.reply_parsing import parse_reply_list

PLAIN = '{"items": [1, {"a": "b"}]}'
READ = [1, {"a": "b"}]
DEEP = 200_000


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"  {PLAIN}\n",
        f"```json\n{PLAIN}\n```",
        f"```\n{PLAIN}\n```",
        f"\n\n```json  \n{PLAIN}```\n\n",
        f"```json\n\n{PLAIN}\n\n```",
        '{"items":\n[1,\t{"a":"b"}]\r\n}',
    ],
)
def test_an_object_with_the_one_key_is_read_also_within_one_fence(text: str) -> None:
    assert parse_reply_list(text, "items") == READ


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "I would rather not.",
        PLAIN[:-1],
        PLAIN + "x",
        PLAIN + PLAIN,
        PLAIN.replace('"', "'"),
        '{"items": [1,]}',
        "{items: [1]}",
        '{"items": [1]} // as asked',
        "```json\n```",
        "```\n```",
        "``````",
        "```",
        f"Here you are:\n```json\n{PLAIN}\n```",
        f"```json\n{PLAIN}\n```\nHope this helps!",
        f"```json\n```json\n{PLAIN}\n```\n```",
        f"~~~\n{PLAIN}\n~~~",
        f"`{PLAIN}`",
        f"\ufeff{PLAIN}",
        f"```python\n{PLAIN}\n```",
    ],
)
def test_what_is_no_json_is_not_repaired(text: str) -> None:
    with pytest.raises(UnusableReply, match=r"^json$"):
        parse_reply_list(text, "items")


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [NaN]}',
        '{"items": [Infinity]}',
        '{"items": [-Infinity]}',
        '{"items": [{"a": NaN}]}',
        '{"items": [1], "items": [2]}',
        '{"items": [{"answer": true, "answer": false}]}',
        '{"items": [{"deep": {"a": 1, "a": 1}}]}',
        '{"items": [' + "9" * 5000 + "]}",
        '{"items": ' + "[" * DEEP + "]" * DEEP + "}",
        '{"items": ' + '{"a":' * DEEP,
        "[" * DEEP,
    ],
    ids=lambda text: text[:30],
)
def test_what_python_would_read_though_it_is_no_json_or_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(UnusableReply, match=r"^json$"):
        parse_reply_list(text, "items")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[1]",
        "7",
        "null",
        "true",
        '"items"',
        "{}",
        '{"Items": []}',
        '{"items": {}}',
        '{"items": null}',
        '{"items": "[]"}',
        '{"items": 7}',
        '{"rows": []}',
        '{"items": [], "note": "done"}',
        '{"items ": []}',
        '{"labels": []}',
    ],
)
def test_json_of_another_shape_is_told_apart_from_no_json(text: str) -> None:
    with pytest.raises(UnusableReply, match=r"^schema$"):
        parse_reply_list(text, "items")


def test_half_of_a_surrogate_pair_is_read_as_it_is() -> None:
    assert parse_reply_list(r'{"items": ["\ud800"]}', "items") == ["\ud800"]


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(UnusableReply):
        parse_reply_list(text, "items")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(JSON), st.booleans())
def test_every_list_comes_back(value: list[Any], fenced: bool) -> None:
    text = json.dumps({"items": value})
    assert parse_reply_list(f"```json\n{text}\n```" if fenced else text, "items") == value


@pytest.mark.parametrize("text", ["`" * 60_000, "```" + " " * 60_000, "```\n" * 20_000, "```\n" + "\n" * 60_000 + "`"])
def test_a_hostile_text_takes_no_time(text: str) -> None:
    began = time.process_time()
    with pytest.raises(UnusableReply):
        parse_reply_list(text, "items")
    assert time.process_time() - began < 1
