"""A leak that words or digits carry is found, and statements without one pass."""

import numpy as np
import pytest

from credence.generation.arithmetic import CATEGORIES
from credence.generation.quality.shortcut_test import PERMITTED_ACCURACY, ShortcutResult, find_shortcuts
from credence.reporting.proportion import wilson_interval
from tests.support.arithmetic_quota import quota

COUNT = 300


@pytest.fixture(scope="module")
def statements() -> dict[str, ShortcutResult]:
    items = list(quota(COUNT).values())
    found = find_shortcuts([i.question for i in items], [i.answer for i in items], [i.category for i in items])
    return {s.category: s for s in found}


def test_generated_statements_pass(statements: dict[str, ShortcutResult]) -> None:
    assert set(statements) == set(CATEGORIES) == set(PERMITTED_ACCURACY)
    assert not [s for s in statements.values() if s.flagged]


def test_words_are_near_chance_on_comparison(statements: dict[str, ShortcutResult]) -> None:
    found = statements["comparison"]
    assert found.low < 0.5 < found.high and abs(found.accuracy - 0.5) < 0.08 and found.rows == 2 * COUNT


def test_both_labels_hold_numbers_of_one_range(statements: dict[str, ShortcutResult]) -> None:
    for found in statements.values():
        no, yes = found.operands
        assert (no.label, yes.label, no.texts, yes.texts) == (False, True, COUNT, COUNT)
        assert no.median and yes.median and 0.5 < no.median / yes.median < 2


def leaking() -> tuple[list[str], list[bool], list[str]]:
    random = np.random.default_rng(0)
    numbers, answers = random.integers(1000, 9999, 400), random.random(400) < 0.5
    texts = [
        f"{n} is {'surely ' if a and n % 3 else ''}less than {n + 5}" for n, a in zip(numbers, answers, strict=True)
    ]
    return texts, answers.tolist(), ["comparison"] * 400


def test_a_word_that_leaks_the_label_is_flagged() -> None:
    (found,) = find_shortcuts(*leaking())
    assert found.flagged and found.low > 0.7 and found.control < 0.6 and found.permitted == 0.5


def test_what_the_rule_permits_is_not_flagged() -> None:
    (found,) = find_shortcuts(*leaking(), permitted={"comparison": 0.95})
    assert not found.flagged
    (found,) = find_shortcuts(*leaking(), permitted={})
    assert not found.flagged and found.permitted == 1.0


def test_a_category_of_one_label_or_of_few_texts_is_left_out() -> None:
    assert find_shortcuts(["a b"] * 30, [True] * 30, ["one"] * 30) == []
    assert find_shortcuts(["a b", "c d"], [True, False], ["few", "few"]) == []
    assert find_shortcuts([], [], []) == []


def test_a_rare_label_is_read_beside_as_many_of_the_other() -> None:
    texts = [f"{n} is less than {n + 1}" for n in range(4000)]
    (found,) = find_shortcuts(texts, [n % 400 == 0 for n in range(4000)], ["comparison"] * 4000)
    assert found.rows == 20 and not found.flagged and [o.texts for o in found.operands] == [3990, 10]


def test_texts_without_numbers_have_no_range() -> None:
    texts = [f"{'good' if i % 2 else 'bad'} film {'very ' * (i % 5)}indeed" for i in range(60)]
    (found,) = find_shortcuts(texts, [bool(i % 2) for i in range(60)], ["film"] * 60, permitted={"film": 0.5})
    assert found.flagged and found.operands[0].smallest is None and found.operands[0].texts == 30


def test_the_interval_is_wilsons() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-4)
    assert wilson_interval(0, 10)[0] == 0.0 and wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(500, 1000, 3.0)[0] < wilson_interval(500, 1000)[0]
