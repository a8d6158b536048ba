"""The offline provider: right statements from nothing but the request, the same ones everywhere."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.generation.arithmetic import CATEGORIES, check_statement
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.provider import ProviderSpec
from credence.generation.writers.prompts import load_prompt

ROOT = Path(__file__).parents[2]
SLOTS = [
    {"category": category, "label": label, "ordinal": ordinal, "attempt": attempt}
    for category in CATEGORIES
    for label in (True, False)
    for ordinal in (0, 41)
    for attempt in (0, 3)
]
PROGRAM = """
import asyncio, sys
from credence.core.registry import load_kind
from credence.generation.llm.messages import Request
request = Request(provider="offline", model="arithmetic", system="", user=sys.stdin.read(), max_tokens=1)
print(asyncio.run(load_kind("providers", "offline")(seed=5).complete(request)).model_dump_json())
print({"openai", "anthropic", "httpx2"} & set(sys.modules))
"""
# An event loop has a pair of sockets of its own; the program ends where it looks up a host or connects to one.
NO_NETWORK = (
    "import sys\nsys.addaudithook(lambda e, _: e in ('socket.connect', 'socket.getaddrinfo') and sys.exit(e))\n"
)


def asked(user: str) -> Request:
    return Request(provider="offline", model="arithmetic", system="", user=user, max_tokens=1)


def ask(user: str, **parameters: Any) -> Reply:
    reply: Reply = asyncio.run(ProviderSpec(kind="offline", **parameters).build().complete(asked(user)))
    return reply


def items(reply: Reply) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(reply.text or "")["items"]
    return found


def test_every_statement_is_what_was_asked_for_by_the_independent_check() -> None:
    for slot, item in zip(SLOTS, items(ask(json.dumps(SLOTS))), strict=True):
        checked = check_statement(item["question"])
        assert set(item) == {"category", "question", "claim", "answer"}
        assert checked and (checked.category, checked.truth, checked.claim) == (
            slot["category"],
            slot["label"],
            item["claim"],
        )
        assert item["answer"] is slot["label"]


@settings(max_examples=50)
@given(st.sampled_from(CATEGORIES), st.booleans(), st.integers(0, 10**6), st.integers(0, 20), st.integers(0, 9))
def test_any_slot_gives_a_right_statement(category: str, label: bool, ordinal: int, attempt: int, seed: int) -> None:
    slot = {"category": category, "label": label, "ordinal": ordinal, "attempt": attempt}
    [item] = items(ask(json.dumps(slot), seed=seed))
    checked = check_statement(item["question"])
    assert checked and checked.truth is label


def test_it_is_a_function_of_the_request_and_the_seed() -> None:
    user = json.dumps(SLOTS)
    assert ask(user) == ask(user) == ask(user, seed=0, name="offline")
    assert ask(user).text != ask(user, seed=1).text
    assert ask(user, seed=1).latency == 0


@pytest.mark.parametrize(("hash_seed", "zone"), [("1", "Asia/Tokyo"), ("2", "America/Lima")])
def test_it_is_the_same_in_another_process_without_a_network(tmp_path: Path, hash_seed: str, zone: str) -> None:
    env = {"PYTHONHASHSEED": hash_seed, "TZ": zone, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        [sys.executable, "-c", NO_NETWORK + PROGRAM],
        input=json.dumps(SLOTS),
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    reply, loaded = ran.stdout.splitlines()
    assert Reply.model_validate_json(reply) == ask(json.dumps(SLOTS), seed=5)
    assert loaded == "set()"


def test_slots_are_found_amid_prose_and_other_json() -> None:
    slot = {"category": "comparison", "label": False, "ordinal": 1, "attempt": 0}
    user = f'Like {{"question": "1 is less than 2"}} {{ and so on, write: {{"slots": [{json.dumps(slot)}]}} Thank you.'
    assert items(ask(user)) == items(ask(json.dumps(slot)))


@pytest.mark.parametrize(
    "user",
    [
        "",
        "Write ten reviews.",
        "[]",
        '{"category": "comparison"}',
        '{"category": "comparison", "label": "yes", "ordinal": 1, "attempt": 0}',
        '{"category": "comparison", "label": true, "ordinal": -1, "attempt": 0}',
        '{"a":' * 2_000,
    ],
)
def test_a_request_for_something_else_is_one_sentence(user: str) -> None:
    with pytest.raises(InputError, match="the offline provider writes statements of arithmetic, and this request asks"):
        ask(user)


def test_a_category_nobody_knows_gets_a_hint() -> None:
    with pytest.raises(InputError, match=r"no category 'compariso'\. Did you mean 'comparison'\?"):
        ask('{"category": "compariso", "label": true, "ordinal": 1, "attempt": 0}')


def test_it_costs_nothing_and_wants_no_key() -> None:
    reply, made = ask(json.dumps(SLOTS[0])), ProviderSpec(kind="offline").build()
    assert reply.usage and (reply.usage.input, reply.usage.output) == (0, 0)
    assert (made.name, made.model, made.key()) == ("offline", "arithmetic", None)
    with pytest.raises(InputError, match="key_env"):
        ProviderSpec(kind="offline", key_env="OPENAI_API_KEY").build()


def test_it_reads_the_template_that_language_models_are_given() -> None:
    assert items(ask(load_prompt("arithmetic").user_message(slots=SLOTS))) == items(ask(json.dumps(SLOTS)))
