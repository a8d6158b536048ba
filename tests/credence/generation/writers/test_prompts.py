"""Templates are refused when incomplete, fill their fields as data, and never change under one version."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.generation.arithmetic import CATEGORIES, check_statement, propose_statement
from credence.generation.writers.prompts import PROMPTS_FOLDER, Template, load_prompt, prompt_digests

LISTED = dict(line.split() for line in (PROMPTS_FOLDER / "digests.txt").read_text().splitlines())
WHOLE = "system: You write.\nuser: Write $count.\nfields: [count]\nmax_tokens: 10\nschema: {type: object}\n"


def written(folder: Path, content: str = WHOLE, version: str = "1.0.0") -> Path:
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / f"{version}.yaml").write_text(content)
    return folder


def test_no_content_changes_without_a_new_version() -> None:
    found = prompt_digests()
    changed = {k for k, v in found.items() if LISTED.get(k, v) != v}
    assert not changed, f"{changed}: restore the file, and put the new content into a file of a higher version"
    new = {f"{k} {v}" for k, v in found.items() if k not in LISTED}
    assert not new, f"add to prompts/digests.txt: {new}"
    assert set(LISTED) <= set(found), "a version that records name was removed"


@pytest.mark.parametrize("prompt", sorted(LISTED))
def test_every_prompt_is_whole(prompt: str) -> None:
    template = load_prompt(*prompt.split("/"))
    assert template.id == f"{prompt}@{LISTED[prompt]}"
    jsonschema.Draft202012Validator.check_schema(template.schema_)
    assert set(template.fields) and "$" not in template.system_message()


def test_examples_of_arithmetic_are_true_to_schema_and_grammar() -> None:
    template = load_prompt("arithmetic")
    jsonschema.validate({"items": template.examples}, template.schema_)
    for example in template.examples:
        checked = check_statement(example["question"])
        assert checked is not None and checked.truth is example["answer"]
        assert (checked.category, checked.claim) == (example["category"], example["claim"])
    assert {e["category"] for e in template.examples} == set(CATEGORIES)
    assert {e["answer"] for e in template.examples} == {True, False}


@pytest.mark.parametrize("category", CATEGORIES)
def test_what_is_proposed_keeps_to_the_schema(category: str) -> None:
    items = [propose_statement(0, category, label, o).model_dump() for label in (True, False) for o in range(30)]
    jsonschema.validate({"items": items}, load_prompt("arithmetic").schema_)


def test_examples_stand_below_the_system_message() -> None:
    shown = load_prompt("arithmetic").system_message().split("Examples:\n")[1].splitlines()
    assert [json.loads(line) for line in shown] == load_prompt("arithmetic").examples
    assert load_prompt("examples").system_message() == load_prompt("examples").system.rstrip()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_enters_as_data(value: str) -> None:
    message = load_prompt("opinion").user_message(topic=value, labels="$texts", texts=["$topic"])
    lines = message.split("\n")
    assert len(lines) == 4 and json.loads(lines[0].removeprefix("Topic: ")) == value
    assert lines[1:3] == ['Labels: "$texts"', 'Texts: ["$topic"]']


def test_a_missing_and_an_unknown_field_are_refused() -> None:
    with pytest.raises(InputError, match=r"prompt arithmetic/1\.0\.0: no value for slots; give all its fields\."):
        load_prompt("arithmetic").user_message()
    with pytest.raises(InputError, match=r"no field 'slot'\. Did you mean 'slots'\?"):
        load_prompt("arithmetic").user_message(slots=[], slot=[])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (WHOLE.replace("system: You write.\n", ""), "1.0.0.yaml: system: this key is needed and missing"),
        (WHOLE.replace("schema: {type: object}\n", ""), "schema: this key is needed and missing"),
        (WHOLE.replace("fields: [count]", "fields: [counts]"), "$count, $counts stands in only one"),
        (WHOLE.replace("$count", "one"), "$count stands in only one"),
        (WHOLE + "sytem: x\n", "sytem: no such key. Did you mean 'system'?"),
        (WHOLE.replace("max_tokens: 10", "max_tokens: 0"), "max_tokens: input should be greater than or equal to 1"),
        ("- a list\n", "holds list; expected a mapping with system, user, fields, schema"),
        ("system: [\n", "line 2: this is not YAML"),
    ],
)
def test_a_template_without_its_parts_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        load_prompt("mine", "1.0.0", written(tmp_path, content))
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


def test_names_and_versions_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no prompt 'arithmetics'.*Did you mean 'arithmetic'\?"):
        load_prompt("arithmetics")
    with pytest.raises(InputError, match=r"prompt 'arithmetic' has no version '9\.9\.9'"):
        load_prompt("arithmetic", "9.9.9")
    with pytest.raises(InputError, match="no prompt 'mine'"):
        load_prompt("mine", folder=tmp_path / "absent")
    with pytest.raises(InputError, match=r"version: .*'1\.x'"):
        load_prompt("mine", "1.x", written(tmp_path, version="1.x"))


def test_the_newest_version_is_the_default(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        written(tmp_path, version=version)
    assert load_prompt("mine", folder=tmp_path).version == "1.10.0"


def test_the_digest_is_of_the_content_and_not_of_its_layout(tmp_path: Path) -> None:
    one = load_prompt("mine", folder=written(tmp_path))
    same = load_prompt(
        "mine", folder=written(tmp_path, "# a comment\n" + "\n".join(reversed(WHOLE.splitlines())) + "\n")
    )
    other = load_prompt("mine", folder=written(tmp_path, WHOLE.replace("You write.", "You writes.")))
    assert one.digest == same.digest != other.digest
    assert one == Template.model_validate(one.model_dump(by_alias=True))
