"""Texts and columns become tokens: what is kept, what is cut, and what is said of numbers, holes and unknown words."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from credence.models.relations import FONE_WIDTH, RELATION_NAMES, fone, relation_vector
from credence.models.transformer.column_tokens import Category, Quantity, TableTokenizer
from credence.models.transformer.network import TrainingInputs
from credence.models.transformer.text_tokens import NUMBER, TextTokenizer
from tests.support.transformer_cases import fresh, reviews, table


def texts(*told: str) -> pd.DataFrame:
    return pd.DataFrame({"text": list(told)})


def reader(longest: int = 20, fone: bool = True, relations: bool = True) -> TextTokenizer:
    return TextTokenizer.learn(reviews(60)[0], 100, longest, fone, relations)


def said(text: str, **parameters: bool | int) -> tuple[list[str], Tensor]:
    """The tokens of a text as words, and the codes of its numbers."""
    known = reader(**parameters)  # type: ignore[arg-type]
    columns = known.columns(texts(text))
    words = ["", "?", *known.vocabulary.words]
    codes = columns["numbers"][0] if known.fone else torch.zeros(0)
    return [words[i] for i in columns["words"][0]], codes


def test_a_number_is_one_token_with_its_code() -> None:
    words, codes = said("The film was 1,820 long. So 7.")
    assert words == ["the", "film", "was", NUMBER, "long", ".", "so", NUMBER, "."]
    np.testing.assert_allclose(codes, [fone(1820.0), fone(7.0)], rtol=1e-6)


def test_without_fone_a_number_is_its_digits() -> None:
    words, codes = said("a 27", fone=False)
    assert words == ["a", "2", "7"] and codes.numel() == 0


def test_relations_are_those_of_all_numbers_also_behind_the_cut() -> None:
    known = reader(longest=2)
    found = known.columns(texts("2 + 3 = 5", "no number"))["relations"]
    np.testing.assert_allclose(found, [relation_vector([2, 3, 5]), relation_vector([])])
    assert known.relations == RELATION_NAMES
    assert "relations" not in reader(relations=False).columns(texts("2 + 3 = 5"))


@pytest.mark.parametrize(
    ("text", "tokens", "numbers"),
    [
        ("", 0, 0),
        ("🙂 🙃", 2, 0),
        ("\0a\0 b", 4, 0),
        ("qwertz asdf", 2, 0),
        ("word " * 100_000, 20, 0),
        ("1 " * 100_000, 20, 20),
        ("1 2 3 4 5 6 7 8 9", 9, 9),
        ("<p>film</p>&amp;", 2, 0),
        ("9" * 400, 1, 1),
    ],
)
def test_any_text_can_be_read(text: str, tokens: int, numbers: int) -> None:
    words, codes = said(text)
    assert (len(words), len(codes)) == (tokens, numbers)
    assert codes.shape[1] == FONE_WIDTH and torch.isfinite(codes).all()


@given(st.text(max_size=60))
def test_every_number_token_has_its_code(text: str) -> None:
    words, codes = said(text)
    assert words.count(NUMBER) == len(codes)


def test_where_training_held_no_numbers_none_is_a_number_token() -> None:
    known = TextTokenizer.learn(texts("a b", "a c"), 100, 20, True, True)
    assert not known.fone and known.number == -1
    assert "numbers" not in known.columns(texts("a 5"))


def test_a_sentence_is_a_block_with_the_signs_that_end_it() -> None:
    module, batch = fresh("text", orders="average")
    known = TextTokenizer.learn(texts("so . was ! ? x", "so . was ! ? x"), 100, 20, False, False)
    ids = torch.tensor(known.vocabulary.ids(["so", "was", ".", "was", "so", "!", "?", "!", "x"]))[None]
    module.tokens.ends = known.ends
    assert module.tokens._sentences(ids).tolist() == [[0, 0, 0, 1, 1, 1, 1, 1, 2]]
    tokens = module.read(batch)
    assert (tokens.segments[:, 0] == -1).all() and tokens.mask[:, 0].all()
    assert tokens.blocks.tolist() == [t.count(".") for t in reviews(24)[0]["text"]]


def test_a_reader_comes_back_from_json() -> None:
    for X in (reviews(30)[0], table(30)[0]):
        inner = TextTokenizer.learn(X, 50, 9, True, True) if "text" in X else TableTokenizer.learn(X, 50)
        known = TrainingInputs(rows=30, reader=inner)
        again = TrainingInputs.model_validate_json(known.model_dump_json())
        assert again == known and again.digest() == known.digest()
        for name, column in known.columns(X).items():
            assert all(a.equal(b) for a, b in zip(column, again.columns(X)[name], strict=True))


def test_numbers_are_scaled_placed_and_flagged() -> None:
    quantity = Quantity.learn("size", None, np.array([1.0, 2.0, 3.0, np.nan]))
    found = quantity.features(np.array([2.0, 3.0, np.nan, 1e300, -np.inf]))
    np.testing.assert_allclose(found[:3], [[0, 0, 0], [np.arcsinh(1.5**0.5), 1, 0], [0, 0, 1]], atol=1e-12)
    assert np.isfinite(found).all() and found[3, 0] > 100 and found[3, 1] == 1 and found[4, 1] == -1
    skewed = Quantity.learn("size", None, np.array([1.0, 2.0, 9.0])).features(np.array([np.nan, 4.0]))
    assert skewed[0].tolist() == [0, 0, 1] and skewed[1, 0] == 0 < skewed[1, 1]


@pytest.mark.parametrize("numbers", [[np.nan, np.nan], [5.0, 5.0], [sys.float_info.max, -sys.float_info.max]])
def test_columns_that_say_nothing_or_too_much_are_read(numbers: list[float]) -> None:
    found = Quantity.learn("size", None, np.array(numbers)).features(np.array([*numbers, 1.0, np.nan]))
    assert np.isfinite(found).all()


def test_missing_words_are_a_category_and_rare_ones_are_unknown() -> None:
    values = np.array(["red", "red", "blue", None, None, "blue", "rare"], dtype=object)
    category = Category.learn("colour", values, 10)
    known = category.codes(np.array(["rare", "new", "blue", None, "red"], dtype=object))
    assert known[:2] == [0, 0] and sorted(known[2:]) == [1, 2, 3]
    assert len(Category.learn("colour", values, 1).words) == 1


def test_every_category_has_its_own_codes() -> None:
    X = pd.DataFrame({"a": np.array(["x", "x", "y", "y"], object), "b": np.array(["x", "x", "y", "z"], object)})
    known = TableTokenizer.learn(X, 10)
    assert (known.unknown, known.codes, known.longest) == ([0, 3], 5, 2)
    assert known.columns(X)["categories"].tolist() == [[1, 4], [1, 4], [2, 3], [2, 3]]


def test_a_date_is_a_token_for_each_part_that_varies() -> None:
    known = TableTokenizer.learn(table(50)[0], 10)
    assert [q.part for q in known.quantities if q.name == "since"] == [0, 1, 2, 3]
    assert "group" not in {q.name for q in known.quantities} | {c.name for c in known.categories}
    late = table(50)[0].assign(since=pd.NaT)
    assert (known.columns(late)["quantities"][:, 2:, 2] == 1).all()


def test_an_unknown_category_says_nothing_but_its_column() -> None:
    module, batch = fresh("columns")
    codes = torch.zeros_like(batch["categories"])
    x = module.tokens(type(batch)(batch.ids, {**batch.columns, "categories": codes}, batch.lengths)).x
    assert x[:, -1].equal(module.tokens.column[-1].expand(len(x), -1))


def test_rows_without_any_column_are_rows() -> None:
    known = TableTokenizer.learn(table(30)[0][["group"]], 10)
    columns = known.columns(table(5)[0])
    assert columns["quantities"].shape == (5, 0, 3) and columns["categories"].shape == (5, 0)
