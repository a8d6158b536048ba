"""Quotas are met exactly after duplicates, and nothing on a statement's surface tells its label."""

import re
from collections import Counter
from hashlib import blake2b

import pytest
from scipy.stats import chi2_contingency, ks_2samp

from credence.generation.arithmetic import (
    CATEGORIES,
    Statement,
    check_statement,
    content_id,
    mask_numbers,
    propose_statement,
)
from tests.support.arithmetic_oracle import is_true
from tests.support.arithmetic_quota import quota

COUNT = 1200
UNLIKELY = 1e-3
TOLD_BY_PARITY = ("even", "odd")


@pytest.fixture(scope="module")
def items() -> list[Statement]:
    return list(quota(COUNT).values())


def test_quotas_are_met_exactly_after_duplicates(items: list[Statement]) -> None:
    assert Counter((i.category, i.answer) for i in items) == dict.fromkeys(
        [(c, a) for c in CATEGORIES for a in (True, False)], COUNT
    )


def test_words_and_shapes_are_the_same_for_both_labels(items: list[Statement]) -> None:
    shapes = [Counter(mask_numbers(i.question) for i in items if i.answer is answer) for answer in (True, False)]
    words = [{re.sub(r" by #$", "", s): n for s, n in shape.items()} for shape in shapes]
    assert words[0] == words[1]


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_size_and_no_length_tells_the_label(items: list[Statement], category: str) -> None:
    of = [i for i in items if i.category == category]
    for place in (0, -1):
        sizes = [[_numbers(i)[place] for i in of if i.answer is answer] for answer in (True, False)]
        assert ks_2samp(*sizes, method="asymp").pvalue > UNLIKELY, place
    assert (
        ks_2samp(*[[len(i.question) for i in of if i.answer is a] for a in (True, False)], method="asymp").pvalue
        > UNLIKELY
    )


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_last_digit_tells_the_label_but_for_parity(items: list[Statement], category: str) -> None:
    of = [i for i in items if i.category == category and i.claim.get("property") not in TOLD_BY_PARITY]
    for place in (0, -1):
        table = [[_digits(of, a, place)[d] for d in "0123456789"] for a in (True, False)]
        used = [[row[d] for d in range(10) if table[0][d] + table[1][d]] for row in table]
        assert chi2_contingency(used).pvalue > UNLIKELY, place


def _numbers(item: Statement) -> list[float]:
    found = re.findall(r"[0-9]+(?:\.[0-9]+)?(?:/[0-9]+)?", item.question)
    return [float(n.split("/")[0]) / float([*n.split("/"), "1"][1]) for n in found]


def _digits(items: list[Statement], answer: bool, place: int) -> Counter[str]:
    return Counter(re.findall(r"[0-9]+(?:\.[0-9]+)?", i.question)[place][-1] for i in items if i.answer is answer)


def test_products_and_other_results_end_alike_for_both_labels() -> None:
    for category, kind in (("math_verification", _operator), ("pattern", _is_geometric)):
        found = quota(2400, categories=(category,)).values()
        for chosen in {kind(i) for i in found}:
            of = [i for i in found if kind(i) == chosen]
            ends = [Counter(i.question[-1] for i in of if i.answer is answer) for answer in (True, False)]
            table = [[end[d] for d in "0123456789" if ends[0][d] + ends[1][d]] for end in ends]
            assert chi2_contingency(table).pvalue > UNLIKELY, (category, chosen)


def _operator(item: Statement) -> str:
    return str(item.claim["operator"])


def _is_geometric(item: Statement) -> bool:
    first, second, third = (int(t) for t in item.claim["terms"][:3])
    return first * third == second * second


def test_what_an_even_number_does_not_divide_is_even_too(items: list[Statement]) -> None:
    of = [i.claim for i in items if int(i.claim.get("by", 1)) % 2 == 0]
    assert len(of) > 100 and all(int(claim["number"]) % 2 == 0 for claim in of)


@pytest.mark.parametrize("name", ["prime", "a perfect square", "divisible"])
def test_what_lacks_a_property_ends_and_measures_like_what_has_it(items: list[Statement], name: str) -> None:
    of = [i for i in items if i.claim.get("property") == name]
    sizes = [[int(i.claim["number"]) for i in of if i.answer is answer] for answer in (True, False)]
    assert ks_2samp(*sizes, method="asymp").pvalue > UNLIKELY
    if name == "prime":
        assert {n % 10 for half in sizes for n in half} == {1, 3, 7, 9}
    if name == "a perfect square":
        assert {n % 100 for n in sizes[1]} <= {r * r % 100 for r in range(100)}


def test_no_number_is_too_short_for_a_square() -> None:
    numbers = [int(propose_statement(0, "number_property", False, o).claim["number"]) for o in range(3, 90_000, 30)]
    assert len(numbers) == 3000 and min(numbers) >= 100**2


def test_a_seed_says_other_statements_of_the_same_shape() -> None:
    one, other = (quota(100, seed) for seed in (1, 2))
    assert len(set(one) & set(other)) < 20
    assert Counter(i.claim.get("operator") for i in one.values()) == Counter(
        i.claim.get("operator") for i in other.values()
    )


def test_the_statements_are_the_same_on_every_machine() -> None:
    said = "\n".join(
        propose_statement(7, c, a, o).question for c in CATEGORIES for a in (True, False) for o in range(60)
    )
    assert blake2b(said.encode(), digest_size=16).hexdigest() == "c840099d69dec2b5cab7cc20eca449f2"


def test_forty_thousand_statements_none_of_them_wrong() -> None:
    items = quota(5000)
    assert Counter((i.category, i.answer) for i in items.values()) == dict.fromkeys(
        [(c, a) for c in CATEGORIES for a in (True, False)], 5000
    )
    for key, item in items.items():
        checked = check_statement(item.question)
        assert checked is not None and checked.truth is item.answer is is_true(item.question)
        assert checked.claim == item.claim and key == content_id(item.category, item.question)
