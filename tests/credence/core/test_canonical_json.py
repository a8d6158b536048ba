"""The same content has the same spelling and the same digest, and different contents have different ones."""

import json
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.canonical_json import canonical_json, json_digest
from credence.core.errors import InputError

ROOT = Path(__file__).parents[3]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXT.map(lambda t: unicodedata.normalize("NFC", t))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any) -> Any:
    """The same, with the keys the other way round and every text in another normal form."""
    if isinstance(value, dict):
        return {unicodedata.normalize("NFD", k): shuffled(v) for k, v in reversed(value.items())}
    if isinstance(value, list):
        return [shuffled(v) for v in value]
    return unicodedata.normalize("NFD", value) if isinstance(value, str) else value


@given(VALUES)
def test_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(VALUES)
def test_order_and_normal_form_do_not_matter(value: Any) -> None:
    other = shuffled(value)
    assert canonical_json(other) == canonical_json(value) and json_digest(other) == json_digest(value)


@given(VALUES, VALUES)
def test_other_values_have_other_digests(a: Any, b: Any) -> None:
    assert (json_digest(a) == json_digest(b)) == (canonical_json(a) == canonical_json(b))
    assert len(json_digest(a)) == 32


def test_spelling_is_what_it_is() -> None:
    """Written down, for ids in ledgers of today must be found again by a later version."""
    value = {"b": [1, True, None], "a": "e\u0301 \U0001f600 \u2028", "B": -(10**20)}
    spelt = '{"B":-100000000000000000000,"a":"é 😀 \u2028","b":[1,true,null]}'
    assert canonical_json(value).decode() == spelt
    assert json_digest(value) == "20fb816f044a5f6badd847e7e34649de"
    assert canonical_json((1, 2)) == canonical_json([1, 2])


def test_true_is_not_one() -> None:
    assert json_digest(True) != json_digest(1) != json_digest("1")


def test_is_the_same_in_another_process() -> None:
    code = "from credence.core.canonical_json import json_digest; print(json_digest({'b': 1, 'a': ['ä', {}]}))"
    python, seeds = [sys.executable, "-c", code], ("0", "1")
    said = {subprocess.check_output(python, cwd=ROOT, env={"PYTHONHASHSEED": seed}) for seed in seeds}
    assert said == {json_digest({"a": ["ä", {}], "b": 1}).encode() + b"\n"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": [{"rate": 0.5}]}, r"a\[0\].rate: 0.5 has no canonical form; .* write it as a text"),
        (float("nan"), "the value: nan has no"),
        ({"a": {1: "x"}}, "a: 1 has no .* texts as keys"),
        ({"a": {"\u00e9": 1, "e\u0301": 2}}, "a: .* every key once"),
        (["\ud800"], r"\[0\]: '\\ud800' has no .* surrogate"),
        ({"\ud800": 1}, "surrogate"),
        (b"x", "b'x' has no"),
        ({1, 2}, "has no canonical form"),
    ],
)
def test_refuses_what_has_no_one_spelling(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        canonical_json(value)


def test_refuses_what_is_nested_too_deeply() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(InputError, match="nested too deeply"):
        canonical_json(deep)


@given(st.floats())
def test_refuses_every_float(value: float) -> None:
    with pytest.raises(InputError):
        canonical_json({"x": value})
