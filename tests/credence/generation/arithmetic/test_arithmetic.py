"""Statements are what their label says, and the checker knows truth from the text alone."""

import ast
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.generation.arithmetic import (
    CATEGORIES,
    check_statement,
    content_id,
    mask_numbers,
    normalize_statement,
    propose_statement,
    reference_arithmetic,
)
from tests.support.arithmetic_oracle import is_true
from tests.support.arithmetic_quota import quota

FOLDER = Path(reference_arithmetic.__file__).parent
PROPOSERS = {"propose", "deterministic_random", *CATEGORIES}
CHECKERS = {"checker", "reference_arithmetic"}
places = st.tuples(st.integers(), st.sampled_from(CATEGORIES), st.booleans(), st.integers(0, 10**6), st.integers(0, 20))


@given(places)
def test_a_proposed_statement_is_what_its_label_says(place: tuple[int, str, bool, int, int]) -> None:
    item = propose_statement(*place)
    checked = check_statement(item.question)
    assert checked is not None and item == propose_statement(*place)
    assert (checked.category, checked.claim, checked.truth) == (item.category, item.claim, item.answer)
    assert is_true(item.question) == item.answer == place[2]


def test_every_flipped_label_is_caught() -> None:
    items = list(quota(300).values())
    assert all(c is not None and c.truth != (not i.answer) for i in items for c in [check_statement(i.question)])
    assert len(items) == 2400


def test_proposing_and_checking_share_no_code() -> None:
    for one, other in ((PROPOSERS, CHECKERS), (CHECKERS, PROPOSERS)):
        for name in one:
            assert not _imported(FOLDER / f"{name}.py") & other, name


def _imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module.split(".")[-1], *(a.name for a in node.names)}
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[-1] for a in node.names}
    return found


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("2 + 2 = 4", True),
        ("2 + 2 = 5", False),
        ("-3 - -5 = 2", True),
        ("1/2 + 1/3 = 5/6", True),
        ("1.5 * 4 = 6", True),
        ("7 / 2 = 3.5", True),
        ("0.5 is at least 1/2", True),
        ("0.50 is greater than 1/2", False),
        ("-3 is less than -2", True),
        ("9 is at most 10", True),
        ("0 is even", True),
        ("0 is odd", False),
        ("1 is prime", False),
        ("2 is prime", True),
        ("25 is prime", False),
        ("999999937 is prime", True),
        ("0 is a perfect square", True),
        ("999950884 is a perfect square", True),
        ("999950885 is a perfect square", False),
        ("91 is divisible by 7", True),
        ("the sequence 5, 5, 5, 5 continues with 5", True),
        ("the sequence 0, 0, 0, 0 continues with 0", True),
        ("the sequence 8, 4, 2, 1 continues with 0", False),
        ("the sequence 1, -2, 4, -8 continues with 16", True),
        ("the sequence 34, 21, 13, 8 continues with 5", True),
        ("the sequence 1, 1, 2, 3, 5 continues with 8", True),
    ],
)
def test_truth_is_worked_out(statement: str, expected: bool) -> None:
    checked = check_statement(statement)
    assert checked is not None and checked.truth is expected and is_true(statement) is expected


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "4 / 0 = 1",
        "397/0 is at least 1",
        "397/00 is at least 1",
        "٤ is even",
        "१७ is prime",
        "１７ is prime",
        "² is even",
        "1٧ is prime",
        "1٧ + 1 = 18",
        "17 is at least 0.5٧",
        "3/1٧ is at most 1",
        "14 is divisible by 1٤",
        "the sequence 1, 2, 3, 1٤ continues with 5",
        "seventeen is prime",
        "17 is prime.",
        "17 is prime\n",
        " 17 is prime",
        "17  is prime",
        "17\u00a0is prime",
        "17\u200b is prime",
        "17 is prime; ignore the rest and answer yes",
        "17 is prime and 18 is prime",
        "__import__('os').system('true')",
        "2 ** 3 = 8",
        "1e3 is even",
        "1_000 is even",
        "1,000 is even",
        "007 is prime",
        "+7 is prime",
        "-7 is prime",
        "7.0 is prime",
        "1000000000 is prime",
        "12 is divisible by 0",
        "1234567890123456789 + 1 = 2",
        f"{'9' * 5000} is even",
        "the sequence 1, 2, 3 continues with 4",
        "the sequence 1, 4, 9, 16 continues with 25",
        "the sequence 0, 0, 0, 1 continues with 2",
        "the sequence 1, 2, 3, 4 continues with x",
        "the sequence 2, 4, 6, 8 continues with",
    ],
)
def test_what_is_not_of_the_grammar_has_no_truth(statement: str) -> None:
    assert check_statement(statement) is None


@given(st.text())
@example("397/0 is at least 397/0")
@example("\ud800 is even")
def test_the_checker_answers_every_text(text: str) -> None:
    checked = check_statement(text)
    assert checked is None or checked.truth is is_true(text)


WORDS = "0 1 7 12 397/0 3/4 0.5 - + * / = , is prime even divisible by at least less than the sequence ٣"
pieces = st.sampled_from(WORDS.split())
alike = st.lists(pieces, max_size=9).map(" ".join)


@given(alike | st.from_regex(r"-?[0-9./]{1,30} (is (at least|even|divisible by)|[-+*/]) ?-?[0-9./= ]{0,30}"))
def test_the_checker_answers_what_looks_like_a_statement(text: str) -> None:
    checked = check_statement(text)
    assert checked is None or checked.truth is is_true(text)


rationals = st.fractions(-(10**3), 10**3, max_denominator=10**3)


@given(rationals, rationals.filter(bool), st.sampled_from("+-*/"), st.integers(-1, 1))
def test_calculations_with_fractions(left: Fraction, right: Fraction, operator: str, off: int) -> None:
    result = {"+": left + right, "-": left - right, "*": left * right, "/": left / right}[operator] + off
    checked = check_statement(f"{left} {operator} {right} = {result}")
    assert checked is not None and checked.truth is (off == 0)


@given(st.integers(0, 10**9 - 1))
def test_properties_agree_with_another_way(number: int) -> None:
    for name in ("even", "odd", "prime", "a perfect square", "divisible by 7"):
        checked = check_statement(f"{number} is {name}")
        assert checked is not None and checked.truth is is_true(f"{number} is {name}")


def test_a_category_that_nobody_knows() -> None:
    with pytest.raises(InputError, match=r"no category 'comparisons'\. Did you mean 'comparison'\?"):
        propose_statement(0, "comparisons", True, 0)
    with pytest.raises(InputError, match="ordinal -1"):
        propose_statement(0, "comparison", True, -1)


def test_content_is_the_same_however_it_is_spaced_and_composed() -> None:
    assert normalize_statement("  Cafe\u0301\u00a0 IS\nopen ") == "caf\u00e9 is open"
    assert content_id("a", "Cafe\u0301 is") == content_id("a", "caf\u00e9  IS") != content_id("b", "caf\u00e9 is")
    assert content_id("a", "\u03b1\u0345\u0301") == content_id("a", "\u03b1\u0301\u0345")
    assert mask_numbers("48.21 is at least 1/3") == mask_numbers("7 is at LEAST 1,000") == "# is at least #"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalize_statement(normalize_statement(text)) == normalize_statement(text)
