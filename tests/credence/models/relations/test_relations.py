"""Numbers are read as people write them, and what is said of them is what arithmetic says."""

import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.generation.arithmetic import CATEGORIES, propose_statement, reference_arithmetic
from credence.models.relations import (
    FONE_WIDTH,
    MAX_NUMBERS,
    RELATION_NAMES,
    find_numbers,
    fone,
    mask_numbers,
    number_values,
    relation_vector,
)
from credence.models.relations import integers as facts
from credence.models.relations.relation_table import PERIODS

LARGEST = sys.float_info.max
finite = st.floats(allow_nan=False, allow_infinity=False)
small = st.integers(-(10**6), 10**6)
RELATION_OF = {"+": "x + y = z", "-": "x - y = z", "*": "xy = z", "/": "x / y = z"}
RULES = ("constant differences", "constant ratios", "each the sum of two before", "each the difference of two before")
PROPERTY_OF = {
    "even": "2 divides a",
    "prime": "a is prime",
    "a perfect square": "a is a square",
    "divisible": "b divides a",
}


def about(*values: float) -> dict[str, float]:
    return dict(zip(RELATION_NAMES, relation_vector(values), strict=True))


def holding(*values: float) -> set[str]:
    return {name for name, value in about(*values).items() if value == 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("89 + 76 = 165", [89, 76, 165]),
        ("5 - 3 = 2", [5, 3, 2]),
        ("5-3=2", [5, 3, 2]),
        ("5 -3", [5, 3]),
        ("5 - -3 = 8", [5, -3, 8]),
        ("(5) - 3", [5, 3]),
        ("x = -3, and (-4)", [-3, -4]),
        ("it is -7.5 outside", [-7.5]),
        ("\N{MINUS SIGN}3", [-3]),
        ("covid-19", [19]),
        ("48.21 is at least 48.196.", [48.21, 48.196]),
        ("1,820 of 12,345,678.5", [1820, 12345678.5]),
        ("6, 24, 96", [6, 24, 96]),
        ("1,2,3", [1, 2, 3]),
        ("1,2345", [1, 2345]),
        (".5 and 0.5", [0.5, 0.5]),
        ("1.2.3", [1, 2, 3]),
        ("192.168.0.1", [192, 168, 0, 1]),
        ("2e5 and 1e-3", [2e5, 1e-3]),
        ("1/8 is less than 3/4", [0.125, 0.75]),
        ("84 / 12 = 7", [84, 12, 7]),
        ("1/2/2026", [1, 2, 2026]),
        ("1/0", [1, 0]),
        ("1/-2", [-0.5]),
        ("B12 and x_2", []),
        ("3rd, 7kg, $5.20, 10%", [3, 7, 5.2, 10]),
        ("٣ ½ x² no number", []),
        ("", []),
        ("9" * 400, [LARGEST]),
        ("-1e999", [-LARGEST]),
    ],
)
def test_numbers_are_read_in_their_order(text: str, expected: list[float]) -> None:
    assert number_values(text) == expected


def test_a_number_is_found_where_it_is_written() -> None:
    text = "from -3 to 1,820 and 1/4"
    assert [text[n.start : n.end] for n in find_numbers(text)] == ["-3", "1,820", "1/4"]
    assert mask_numbers("89 + -7 = 82") == " #  +  #  =  # "
    assert mask_numbers("no number") == "no number"


@given(st.text(alphabet="0123456789.,-−/e xB²٣(", max_size=40))
def test_any_text_gives_finite_numbers_in_order(text: str) -> None:
    read = find_numbers(text)
    assert all(math.isfinite(n.value) for n in read)
    edges = [edge for n in read for edge in (n.start, n.end)]
    assert edges == sorted(edges)
    assert not number_values(mask_numbers(text))


@given(st.lists(small, max_size=8))
def test_whole_numbers_are_read_as_they_were_written(values: list[int]) -> None:
    assert number_values(" and ".join(map(str, values))) == values
    assert number_values("; ".join(f"{v:,}" for v in values)) == values


def test_long_texts_cost_no_more_than_their_length() -> None:
    assert number_values("a" * 200_000 + " 7") == [7]
    assert len(number_values("-1 " * 20_000)) == 20_000


def test_names_are_stable_and_distinct() -> None:
    assert len(set(RELATION_NAMES)) == len(RELATION_NAMES)
    assert RELATION_NAMES[:6] == (
        "no number",
        "one number",
        "two numbers",
        "three numbers",
        "four numbers or more",
        "sign of a",
    )
    assert all(name.isprintable() for name in RELATION_NAMES)


@given(st.lists(finite, max_size=9))
def test_relations_are_bounded_for_any_finite_numbers(values: list[float]) -> None:
    answers = relation_vector(values)
    assert answers.shape == (len(RELATION_NAMES),)
    assert answers.dtype == np.float64
    assert np.isin(answers, (-1, 0, 1)).all()


@pytest.mark.parametrize("values", [[1e300] * 7, [LARGEST, -LARGEST, LARGEST], [5e-324, 1e300, 0.0], [-0.0, 0.0]])
def test_relations_at_the_end_of_the_range_of_floats(values: list[float]) -> None:
    assert np.isin(relation_vector(values), (-1, 0, 1)).all()


def test_what_overflows_equals_nothing() -> None:
    assert {"xy = z", "x + y = z", "y² = xz"}.isdisjoint(holding(LARGEST, LARGEST, LARGEST))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_infinities_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="expected finite ones"):
        relation_vector([1, value])


@given(st.lists(finite, min_size=MAX_NUMBERS + 2, max_size=12), finite)
def test_numbers_amid_a_long_text_are_not_asked_about(values: list[float], other: float) -> None:
    changed = [*values[:2], *([other] * (len(values) - MAX_NUMBERS - 2)), *values[-MAX_NUMBERS:]]
    np.testing.assert_array_equal(relation_vector(values), relation_vector(changed))


def test_what_needs_more_numbers_does_not_apply() -> None:
    nothing, one, two = about(), about(7), about(7, 5)
    assert {name for name, value in nothing.items() if value > 0} == {"no number"}
    assert all(one[name] == 0 for name in ("order of a, b", "x + y = z", "constant differences"))
    assert two["order of a, b"] == 1
    assert all(two[name] == 0 for name in ("order of a, z", "x + y = z", "constant differences"))


@pytest.mark.parametrize(
    ("values", "hold", "fail"),
    [
        ((89, 76, 165), {"x + y = z"}, {"x - y = z", "xy = z"}),
        ((89, 76, 164), set(), {"x + y = z", "y - x = z"}),
        ((0.1, 0.2, 0.3), {"x + y = z"}, {"a is whole"}),
        ((0.3, 0.1, 0.2), {"x - y = z"}, {"x + y = z"}),
        ((9999, 9998, 99970002), {"xy = z"}, {"x + y = z"}),
        ((9999, 9998, 99970003), set(), {"xy = z"}),
        ((84, 12, 7), {"x / y = z", "b divides a"}, {"xy = z", "a divides b"}),
        ((12, 84, 7), {"y / x = z", "a divides b"}, {"x / y = z"}),
        ((5, 0, 0), {"xy = z"}, {"x / y = z", "x modulo y = z"}),
        ((2, 10, 1024), {"x to the power of y = z"}, {"xy = z"}),
        ((2, -1, 0.5), set(), {"xy = z"}),
        ((17, 5, 2), {"x modulo y = z"}, {"x / y = z"}),
        ((12, 18, 6), {"the greatest common divisor of x, y = z"}, {"the least common multiple of x, y = z"}),
        ((4, 6, 12), {"the least common multiple of x, y = z"}, {"the greatest common divisor of x, y = z"}),
        ((3, 4, 3.5), {"(x + y) / 2 = z", "z is between x and y"}, {"x + y = z"}),
        ((6, 24, 96), {"y² = xz"}, {"2y - x = z"}),
        ((6, 24, 42), {"2y - x = z"}, {"y² = xz"}),
        ((3, 12, 21, 30, 39), {"constant differences", "increasing"}, {"constant ratios", "decreasing"}),
        ((6, 24, 96, 384, 1536), {"constant ratios", "constant ratios of differences"}, {"constant differences"}),
        ((81, 27, 9, 3), {"constant ratios", "decreasing"}, {"increasing"}),
        ((3, 5, 8, 13, 21), {"each the sum of two before"}, {"each the difference of two before"}),
        ((21, 13, 8, 5), {"each the difference of two before"}, {"each the sum of two before"}),
        ((1, 4, 9, 16, 25), {"constant second differences"}, {"constant differences"}),
        ((2, 3, 5, 9, 17), {"constant ratios of differences"}, {"constant ratios"}),
        ((1, 2, 3, 6), {"the last is the sum of all before", "the last is the product of all before"}, set()),
        ((1, 2, 6, 3), {"the last is the mean of all before"}, {"the last is the largest before"}),
        ((4, 9, 2, 9), {"the last is the largest before"}, {"the last is the smallest before"}),
        ((4, 9, 2, 2), {"the last is the smallest before"}, {"the last two are the two before"}),
        ((1, 5, 1, 5), {"the last two are the two before"}, {"increasing"}),
    ],
)
def test_relations_worked_out_by_hand(values: tuple[float, ...], hold: set[str], fail: set[str]) -> None:
    answers = about(*values)
    assert hold <= holding(*values)
    assert {answers[name] for name in fail} <= {-1}


@pytest.mark.parametrize(
    ("value", "hold"),
    [
        (7919, {"a is prime"}),
        (2, {"a is prime", "a is a power of two", "a is a Fibonacci number", "2 divides a", "a is a palindrome"}),
        (1, {"a is a square", "a is a cube", "a is triangular", "a is a power of two", "a is a Fibonacci number"}),
        (1024, {"a is a square", "a is a power of two", "8 divides a"}),
        (-27, {"a is a cube", "3 divides a", "9 divides a"}),
        (1001, {"a is a palindrome", "7 divides a", "11 divides a", "13 divides a"}),
        (5050, {"a is triangular", "10 divides a"}),
    ],
)
def test_properties_worked_out_by_hand(value: int, hold: set[str]) -> None:
    assert hold <= holding(value)


def test_a_number_with_a_fraction_has_no_parity() -> None:
    assert about(2.5)["a is whole"] == -1
    assert about(2.5)["2 divides a"] == about(2.5)["a is prime"] == 0
    assert about(2.0**60)["a is whole"] == 1
    assert about(2.0**60)["2 divides a"] == 0


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_order_is_antisymmetric_and_equality_is_the_middle(a: float, b: float) -> None:
    there, back = about(a, b), about(b, a)
    assert there["order of a, b"] == -back["order of a, b"]
    assert (there["a = b"] == 1) == (there["order of a, b"] == 0)


@given(small, small, st.integers(-3, 3))
def test_results_agree_with_whole_arithmetic(a: int, b: int, off: int) -> None:
    assert ("x + y = z" in holding(a, b, a + b + off)) == (off == 0)
    assert ("x - y = z" in holding(a, b, a - b + off)) == (off == 0)
    assert ("xy = z" in holding(a, b, a * b + off)) == (off == 0)


@given(st.integers(1, 10**6), st.integers(1, 900), st.integers(1, 10**6), st.integers(1, 900))
def test_fractions_compare_as_exact_ones_do(a: int, b: int, c: int, d: int) -> None:
    left, right = Fraction(a, b), Fraction(c, d)
    answers = about(*number_values(f"{a}/{b} is less than {c}/{d}"))
    assert answers["order of a, b"] == (left > right) - (left < right)


@given(st.integers(0, 10**7))
def test_facts_agree_with_the_plain_ones(n: int) -> None:
    assert facts.is_prime(n) == reference_arithmetic.is_prime(n)
    assert facts.is_square(n) == reference_arithmetic.is_square(n)
    assert facts.is_cube(n) == any(k**3 == n for k in range(216))
    assert facts.is_square(n * n)


@pytest.mark.parametrize("n", [3215031751, 341550071728321, 2**53 - 111 * 2, 25326001])
def test_strong_pseudoprimes_are_no_primes(n: int) -> None:
    assert not facts.is_prime(n)


@pytest.mark.parametrize("n", [2**31 - 1, 999999999989, 9007199254740881])
def test_large_primes_are_primes(n: int) -> None:
    assert facts.is_prime(n)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("label", [True, False])
def test_every_family_of_statements_is_settled_by_a_relation(category: str, label: bool) -> None:
    for ordinal in range(120):
        item = propose_statement(3, category, label, ordinal)
        assert _settled(item.claim, about(*number_values(item.question))) == label, item.question


def _settled(claim: dict[str, str], answers: dict[str, float]) -> bool:
    """What the relations say of a statement, read by its parts."""
    if "operator" in claim:
        return answers[RELATION_OF[claim["operator"]]] == 1
    if "relation" in claim:
        order = answers["order of a, b"]
        return {"greater than": order > 0, "less than": order < 0, "at least": order >= 0, "at most": order <= 0}[
            claim["relation"]
        ]
    if "property" in claim:
        odd = claim["property"] == "odd"
        return answers["2 divides a" if odd else PROPERTY_OF[claim["property"]]] == (-1 if odd else 1)
    return any(answers[rule] == 1 for rule in RULES)


def test_the_code_of_a_number_is_worked_out_by_hand() -> None:
    code = fone(7.0)
    sines, cosines, size = np.split(code, [len(PERIODS), 2 * len(PERIODS)])
    assert code.shape == (FONE_WIDTH,)
    assert code.dtype == np.float64
    third, ten = list(PERIODS).index(3), list(PERIODS).index(10)
    assert sines[third] == pytest.approx(math.sin(2 * math.pi / 3))
    assert cosines[ten] == pytest.approx(math.cos(2 * math.pi * 0.7))
    assert size == pytest.approx([math.log(8) / 10, math.sqrt(7) / 1000, 1])
    np.testing.assert_allclose(fone(0.0), [0] * len(PERIODS) + [1] * len(PERIODS) + [0, 0, 0])


@given(finite)
def test_the_code_of_any_number_is_small(value: float) -> None:
    assert (np.abs(fone(value)) <= 71).all()


@settings(max_examples=50)
@given(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_different_numbers_have_different_codes(m: int, n: int) -> None:
    assert np.allclose(fone(m), fone(n), atol=1e-9) == (m == n)
