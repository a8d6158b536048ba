"""Texts that a person wrote: read from what people have, and refused in one sentence that names file and row."""

import json
from pathlib import Path

import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.generation.seed_examples import MAX_TEXT_LENGTH, SeedExample, read_seed_examples

LABELS = {"spam": "nobody asked for it", "ham": "all others", "1": "one", "true": "so it is"}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_seed_examples(path, LABELS)
    return str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        "one\ntwo words\n",
        "\n  one \n\n\ttwo words\n\n",
        "one\r\ntwo words\r\n",
        "\ufeffone\ntwo words",
    ],
)
@pytest.mark.parametrize("name", ["seeds.txt", "SEEDS.TXT"])
def test_a_text_file_has_one_in_every_line(tmp_path: Path, name: str, content: str) -> None:
    assert read_seed_examples(write(tmp_path, name, content), LABELS) == [
        SeedExample("one", None),
        SeedExample("two words", None),
    ]


def test_a_table_may_say_labels_and_need_not(tmp_path: Path) -> None:
    labelled = write(tmp_path, "seeds.csv", "text,label\nbuy now,spam\n see you ,ham\n")
    assert read_seed_examples(labelled, LABELS) == [SeedExample("buy now", "spam"), SeedExample("see you", "ham")]
    plain = write(tmp_path, "plain.csv", "text,number\nbuy now,1\nsee you,2\n")
    assert read_seed_examples(plain, LABELS) == [SeedExample("buy now", None), SeedExample("see you", None)]


def test_json_lines_and_parquet_are_tables_too(tmp_path: Path) -> None:
    rows = [{"text": "buy now", "label": "spam"}, {"text": "see you", "label": None}, {"text": None, "label": "ham"}]
    lines = write(tmp_path, "seeds.jsonl", "\n".join(map(json.dumps, rows)))
    pd.DataFrame(rows).to_parquet(tmp_path / "seeds.parquet")
    for path in (lines, tmp_path / "seeds.parquet"):
        assert read_seed_examples(path, LABELS) == [SeedExample("buy now", "spam"), SeedExample("see you", None)]


def test_a_row_without_label_suits_all_of_them_and_one_without_text_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, "seeds.csv", "text,label\nbuy now,spam\nanything,\n,ham\n")
    assert read_seed_examples(path, LABELS) == [SeedExample("buy now", "spam"), SeedExample("anything", None)]


@pytest.mark.parametrize(("cell", "label"), [("1", "1"), ("true", "true"), (" ham", "ham")])
def test_labels_that_a_table_does_not_hold_as_words_are_spelled_as_in_the_file(
    tmp_path: Path, cell: str, label: str
) -> None:
    path = write(tmp_path, "seeds.csv", f"text,label\na b,{cell}\nc d,{cell}\n")
    assert {seed.label for seed in read_seed_examples(path, LABELS)} == {label}


def test_what_no_message_can_hold_is_replaced(tmp_path: Path) -> None:
    path = write(tmp_path, "seeds.jsonl", '{"text": "smile \\ud83d", "label": "ham"}\n{"text": "dear", "label": "ham"}')
    assert read_seed_examples(path, LABELS) == [SeedExample("smile ?", "ham"), SeedExample("dear", "ham")]


def test_a_long_text_is_shown_in_part(tmp_path: Path) -> None:
    [seed] = read_seed_examples(write(tmp_path, "seeds.txt", "x" * (MAX_TEXT_LENGTH + 1)), LABELS)
    assert len(seed.text) == MAX_TEXT_LENGTH


def test_a_file_that_is_not_there_is_named_with_what_would_do(tmp_path: Path) -> None:
    told = f"seeds: {tmp_path / 'gone.txt'} is no file; name a .txt with a text in every line, or a table with a column"
    assert refused(tmp_path / "gone.txt").startswith(told)
    assert refused(tmp_path).startswith(f"seeds: {tmp_path} is no file")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("seeds.txt", ""),
        ("seeds.txt", " \n\t\n"),
        ("seeds.csv", ""),
        ("seeds.csv", "text,label\n"),
        ("seeds.csv", "text,label\n,spam\n,ham\n"),
        ("seeds.jsonl", ""),
    ],
)
def test_a_file_without_any_text_is_refused(tmp_path: Path, name: str, content: str) -> None:
    told = refused(write(tmp_path, name, content))
    assert told.startswith("seeds: ") and name in told and "\n" not in told


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    assert "is not UTF-8 (byte 2); save it as UTF-8" in refused(write(tmp_path, "seeds.txt", b"ab\xff\xfe\x00"))
    told = refused(write(tmp_path, "seeds.parquet", b"PAR1 and no more"))
    assert told.startswith("seeds: ") and "seeds.parquet" in told and "\n" not in told


def test_a_table_without_texts_says_what_it_has(tmp_path: Path) -> None:
    told = refused(write(tmp_path, "seeds.csv", "Text,label\nbuy now,spam\n"))
    assert "has no column 'text'; its columns are Text, label" in told


def test_a_label_that_is_not_one_of_the_topic_is_named_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, "seeds.csv", "text,label\nbuy now,spam\n,ham\nsee you,hamm\n")
    assert refused(path) == f"seeds: {path}, row 3: no label 'hamm'. Did you mean 'ham'?"
