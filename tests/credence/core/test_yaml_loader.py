"""YAML in which yes is a word."""

from pathlib import Path

import pytest

from credence.core.errors import InputError
from credence.core.yaml_loader import load_yaml, parse_yaml


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO", "y", "n"])
def test_words_stay_words(word: str) -> None:
    assert parse_yaml(word) == word


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("3", 3), ("0.5", 0.5), ("null", None)])
def test_other_values_are_what_yaml_says(text: str, value: object) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: [1, 2", "this is not YAML"),
        ("a: 1\na: 2\n", "the key 'a' is given twice"),
        ("- a\n- b\n", "holds list; expected a mapping"),
        ("", "holds NoneType; expected a mapping"),
        ("a: !!python/object/apply:os.system ['true']", "this is not YAML"),
    ],
)
def test_files_that_hold_no_mapping_are_refused_by_name(tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "task.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=r"task\.yaml") as mistake:
        load_yaml(file)
    assert sentence in str(mistake.value)


def test_the_line_of_a_mistake_is_named(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("question: ok\nmodels: [\n  oh: no: no\n")
    with pytest.raises(InputError, match=r"task.yaml, line \d"):
        load_yaml(tmp_path / "task.yaml")


def test_binary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not UTF-8"):
        load_yaml(tmp_path / "task.yaml")
