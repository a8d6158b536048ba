"""Every figure of a generated data set, against what was worked out by hand."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.generation.ledger import AttemptRecord, Ledger, LedgerReader
from credence.generation.ledger.database import connect_ledger
from credence.generation.llm.messages import Usage
from credence.generation.llm.metrics import SECONDS
from credence.generation.quality.content_analysis import (
    NumberSummary,
    find_duplicates,
    measure_label_leakage,
    summarize_numbers,
)
from credence.generation.quality.costs import TokenCounts
from credence.generation.quality.item_outcomes import CellCounts, ModelCounts
from credence.generation.quality.report import QualityReport, examine_generation
from credence.generation.quality.shortcut_test import find_shortcuts
from credence.reporting.proportion import proportion
from tests.support.ledger_cases import QUOTAS, fill, opened, reply, request
from tests.support.quality_cases import ONE, OTHER, STATEMENTS, Run, examples, many, statements


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QualityReport]:
    run = statements(tmp_path_factory.mktemp("statements"))
    yield examine_generation(run.ledger)
    run.ledger.close()


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QualityReport]:
    run = examples(tmp_path_factory.mktemp("examples"))
    yield examine_generation(run.ledger)
    run.ledger.close()


def test_a_share_has_its_count_its_whole_and_wilsons_interval() -> None:
    third = proportion(1, 3)
    assert (third.count, third.of) == (1, 3)
    assert (third.value, third.low, third.high) == pytest.approx((1 / 3, 0.061490, 0.792345), abs=1e-5)
    assert third.text() == "33.3 (6.1–79.2) %" and proportion(0, 40_000).text() == "0 (0–0.00960) %"
    assert proportion(0, 2000).low == 0 and proportion(2000, 2000).high == 1
    assert proportion(0, 0).value is None and proportion(0, 0).text() == "–"


def test_rows_wanted_there_and_given_up(found: QualityReport) -> None:
    assert (found.items.wanted, found.items.rows, found.items.given_up) == (6, 4, 2)
    assert found.sentence == (
        "4 of 6 rows, 2 places given up, none wrong by the independent check, 0 exact duplicates; $0.505"
    )
    assert found.cautions == ["2 rows of 6 missing: 2 places given up, 0 still open."] and found.faults == []


def test_every_category_and_label_has_its_counts(found: QualityReport) -> None:
    cells = {
        (c.category, c.label): (c.quota, c.committed, c.given_up, c.duplicates, c.quarantined)
        for c in found.items.cells
    }
    assert cells == {
        ("comparison", "no"): (2, 1, 1, 0, 2),
        ("comparison", "yes"): (2, 2, 0, 1, 1),
        ("number_property", "no"): (1, 0, 1, 0, 1),
        ("number_property", "yes"): (1, 1, 0, 0, 0),
    }
    assert found.items.departure == found.items.cells[0] and found.items.cells[0].departure == -1


def test_items_and_calls_are_turned_away_for_reasons_that_are_counted_apart(found: QualityReport) -> None:
    told = found.items
    assert (told.read, told.duplicates, told.tries) == (4 + 1 + 3, 1, 9)
    assert told.rejected == proportion(3, 8) and told.tries_per_row == 9 / 4
    assert {r.reason: r.found for r in told.rejects} == {r: proportion(1, 8) for r in ("answer", "label", "grammar")}
    assert {r.reason: r.found for r in told.failures} == {"http": proportion(1, 9)}


def test_a_model_errs_where_its_answer_is_wrong_among_those_that_could_be_worked_out(found: QualityReport) -> None:
    assert found.items.authors == [
        ModelCounts(model="a/x", read=3, accepted=2, errors=proportion(1, 3)),
        ModelCounts(model="b/y", read=4, accepted=2, errors=proportion(0, 3)),
    ]


def test_a_model_of_examples_errs_where_another_gives_another_label(agreed: QualityReport) -> None:
    assert agreed.items.authors == [
        ModelCounts(model="a/x", read=4, accepted=2, errors=proportion(1, 4)),
        ModelCounts(model="b/y", read=4, accepted=3, errors=proportion(0, 3)),
    ]
    assert {r.reason: r.found.of for r in agreed.items.rejects} == {"disagreement": 8, "unclear": 8, "copied": 8}


def test_examples_are_agreed_on_and_nothing_more_is_claimed(agreed: QualityReport) -> None:
    assert agreed.wrong is None and agreed.unchecked == proportion(0, 5) and agreed.agreement == 2
    assert agreed.sentence == ("5 of 6 rows, each label agreed on by 2 different models, 0 exact duplicates; $0.00")


def test_an_example_without_agreement_is_a_fault(tmp_path: Path) -> None:
    run = Run(tmp_path, {"examples": {"good": 1}}, "examples", agreement=3)
    run.row(run.slot("examples", "good"), "fine", run.call(ONE, "1"))
    with run.ledger, closing(connect_ledger(tmp_path, write=True)) as database:
        quality = examine_generation(run.ledger)
        database.execute("update result set checker_version = 'agreement/3'")
        assert not examine_generation(run.ledger).faults
    assert quality.unchecked == proportion(1, 1) and "1 label without the agreement of 3 models" in quality.sentence
    assert quality.faults == ["1 row of 1 with a label that nothing confirmed."]


def test_truth_is_worked_out_anew_whatever_the_ledger_says(tmp_path: Path) -> None:
    run = Run(tmp_path, STATEMENTS, "statements")
    asked = run.call(ONE, "1")
    run.row(run.slot("comparison", "yes", 0), "3 is greater than 7", asked)
    run.row(run.slot("comparison", "yes", 1), "3 is no number", asked)
    run.row(run.slot("comparison", "no", 0), "8 is odd", asked)
    run.row(run.slot("number_property", "no"), "8 is odd", asked, answer_verified=False)
    with run.ledger:
        quality = examine_generation(run.ledger)
    assert quality.wrong == proportion(3, 4), "false, not of the grammar, of another category"
    assert "3 wrong by the independent check" in quality.sentence
    assert quality.faults == [
        "3 rows of 4 wrong by the independent check.",
        "1 row of 4 with a label that nothing confirmed.",
    ]


def test_duplicates_are_counted_on_the_texts(tmp_path: Path) -> None:
    run = Run(tmp_path, STATEMENTS, "statements")
    asked = run.call(ONE, "1")
    run.row(run.slot("number_property", "yes"), "8 is even", asked, content="one")
    run.row(run.slot("comparison", "yes", 0), "7 is at least  3", asked, content="two")
    run.row(run.slot("comparison", "yes", 1), "7 IS at least 3", asked, content="three")
    with run.ledger:
        quality = examine_generation(run.ledger)
    assert quality.repeats.duplicates == proportion(1, 3) and "1 exact duplicate;" in quality.sentence
    assert quality.faults[-1] == "1 row of 3 repeated from another row."


def test_near_duplicates_share_a_form(found: QualityReport, agreed: QualityReport) -> None:
    assert found.repeats.forms == 3 and found.repeats.near == proportion(2, 4)
    assert agreed.repeats.forms == 4 and agreed.repeats.near == proportion(2, 5)
    assert found.repeats.duplicates == proportion(0, 4) and found.repeats.elsewhere == proportion(0, 4)


def test_a_text_in_two_categories_is_no_duplicate_and_is_told() -> None:
    rows = pd.DataFrame({"category": ["one", "two", "two"], "question": ["Yes.", "yes.", "No."]})
    assert find_duplicates(rows).elsewhere == proportion(2, 3) and find_duplicates(rows).duplicates == proportion(0, 3)


def test_the_numbers_of_every_label(found: QualityReport, agreed: QualityReport) -> None:
    assert found.numbers == [
        NumberSummary(category="comparison", label="no", texts=1, numbers=2, smallest=2, median=5, largest=8),
        NumberSummary(category="comparison", label="yes", texts=2, numbers=4, smallest=3, median=6, largest=9),
        NumberSummary(category="number_property", label="yes", texts=1, numbers=1, smallest=8, median=8, largest=8),
    ]
    good = agreed.numbers[-1]
    assert (good.label, good.texts, good.numbers, good.smallest, good.median) == ("good", 2, 0, None, None)


def test_numbers_are_as_large_as_they_are_written() -> None:
    texts = ["1,234.9 and 7/2", "١٢ of " + "9" * 400]
    (sizes,) = summarize_numbers(pd.DataFrame({"category": "c", "answer": "yes", "question": texts}))
    assert (sizes.numbers, sizes.smallest, sizes.median, sizes.largest) == (4, 7, 12, 1234)


def test_the_shortcut_test_is_made_where_it_can_be(found: QualityReport, agreed: QualityReport, tmp_path: Path) -> None:
    assert found.tells.tested == [] and set(found.tells.untested) == set(STATEMENTS)
    assert found.tells.untested["comparison"] == "it has fewer than 10 rows of a label"
    assert agreed.tells.untested == {"examples": "it has 3 labels, and the test is for two"}
    with many(tmp_path).ledger as ledger:
        quality, rows = examine_generation(ledger), ledger.results().to_pandas()
    assert quality.tells.tested == find_shortcuts(
        rows["question"], (rows["answer"] == "yes").tolist(), rows["category"]
    )
    assert len(quality.tells.tested) == 4 and quality.tells.untested == {} and quality.faults == quality.cautions == []


def leaking(category: str, labels: tuple[str, str]) -> pd.DataFrame:
    lines = [(labels[i % 2], f"{i * 37 % 1000} is {'surely ' if i % 2 else ''}more than {i}") for i in range(200)]
    return pd.DataFrame(lines, columns=["answer", "question"]).assign(category=category)


def test_words_that_tell_a_label_are_flagged_in_statements_and_expected_in_examples(found: QualityReport) -> None:
    wrong = measure_label_leakage(leaking("comparison", ("no", "yes")), {"comparison": ["no", "yes"]}, lexical=False)
    assert [s.category for s in wrong.flagged()] == ["comparison"]
    (caution,) = found.model_copy(
        update={"tells": wrong, "items": found.items.model_copy(update={"wanted": 4})}
    ).cautions
    assert caution == "comparison: words and digits tell the label of 100 % of unseen texts, where 50.0 % is permitted."
    fine = measure_label_leakage(leaking("comparison", ("ham", "spam")), {"comparison": ["ham", "spam"]}, lexical=True)
    assert fine.tested[0].accuracy == 1 and fine.flagged() == []


def test_texts_without_a_word_in_common_are_not_tried() -> None:
    rows = pd.DataFrame({"question": [chr(0x1F600 + i) for i in range(60)], "answer": ["a", "b"] * 30, "category": "c"})
    assert "in common" in measure_label_leakage(rows, {"c": ["a", "b"]}, lexical=True).untested["c"]
    assert (
        measure_label_leakage(rows.assign(answer="a"), {"c": ["a"]}, lexical=True)
        .untested["c"]
        .startswith("it has 1 label")
    )


def test_calls_are_counted_by_model_and_by_how_they_ended(found: QualityReport) -> None:
    spent = found.expenses
    assert (spent.calls, spent.kept, spent.answered, found.calls_per_row) == (5, 0, proportion(3, 5), 5 / 4)
    assert {e.how: e.calls for e in spent.ended} == {
        "ok": proportion(3, 5),
        "http_503": proportion(1, 5),
        "http": proportion(1, 5),
    }
    assert spent.tokens == TokenCounts(input=130, cached=3, output=60, reasoning=5)
    assert (spent.cost, spent.held) == (505_000_000, 0)
    one, other = spent.bills
    assert (one.provider, one.model, one.calls, one.cost, one.answered) == ("a", "x", 2, 5_000_000, proportion(2, 2))
    assert (other.provider, other.model, other.calls, other.cost) == ("b", "y", 3, 500_000_000)
    assert one.tokens == TokenCounts(input=30, cached=3, output=10, reasoning=5) and other.answered == proportion(1, 3)
    assert (one.median, one.p95) == pytest.approx((0.175, 0.2875)) and other.median == 2.0


def test_latencies_fall_into_the_meters_buckets(found: QualityReport) -> None:
    counts = {b.up_to: b.calls for b in found.expenses.latency if b.calls}
    assert counts == {0.05: 1, 0.1: 1, 0.5: 1, 2.5: 1, None: 1}, "a bucket holds its end"
    assert [b.up_to for b in found.expenses.latency] == [*SECONDS, None]
    assert (found.expenses.median, found.expenses.p95) == pytest.approx((0.3, 2 + 0.8 * 128))


def test_answers_of_earlier_runs_are_no_calls(tmp_path: Path) -> None:
    run = Run(tmp_path, STATEMENTS, "statements")
    run.call(ONE, "1", reason="kept", verdict="accept", usage=Usage(input=9, output=9), latency=60.0)
    run.call(ONE, "2", reason="ok", verdict="accept", usage=Usage(input=1, output=2), latency=1.0)
    with run.ledger:
        spent = examine_generation(run.ledger).expenses
    assert (spent.calls, spent.kept, spent.answered, spent.p95) == (1, 1, proportion(1, 1), 1.0)
    assert spent.tokens.input == 1 and spent.bills[0].kept == 1


def test_money_that_is_held_is_told_apart(tmp_path: Path) -> None:
    run = Run(tmp_path, STATEMENTS, "statements")
    run.call(ONE, "1", cost=2_000_000_000)
    run.ledger.reserve("lost", 250_000_000)
    with run.ledger:
        quality = examine_generation(run.ledger)
    assert (quality.expenses.cost, quality.expenses.held) == (2_000_000_000, 250_000_000)
    assert quality.sentence == "0 of 6 rows; $2.00, and $0.25 held for calls whose end is unknown"


def test_the_digest_is_the_ledgers(tmp_path: Path) -> None:
    with statements(tmp_path / "1").ledger as one, statements(tmp_path / "2").ledger as two:
        assert examine_generation(one).digest == examine_generation(two).digest == one.digest()


@pytest.mark.parametrize("planned", [True, False])
def test_a_ledger_in_which_nothing_happened(tmp_path: Path, planned: bool) -> None:
    ledger = opened(tmp_path)[0] if planned else Ledger(tmp_path, {"writer": "examples", "quotas": QUOTAS})
    with ledger:
        quality = examine_generation(ledger)
    assert (quality.items.wanted, quality.items.rows, quality.items.tries) == (16, 0, 0)
    assert quality.sentence == "0 of 16 rows; $0.00" and quality.items.authors == []
    assert quality.items.rejected == proportion(0, 0) and quality.items.tries_per_row is quality.calls_per_row is None
    assert quality.expenses.median is None and sum(b.calls for b in quality.expenses.latency) == 0


def test_a_ledger_without_quotas_or_a_run(tmp_path: Path) -> None:
    with Ledger(tmp_path / "bare", {"writer": "statements", "quotas": {}}) as ledger:
        quality = examine_generation(ledger)
    assert quality.items.departure is None and quality.sentence == "0 of 0 rows; $0.00"
    ledger = many(tmp_path / "gone", 1).ledger
    with ledger, closing(connect_ledger(tmp_path / "gone", write=True)) as database:
        database.execute("delete from run")
        with pytest.raises(InputError, match="no run has begun"):
            examine_generation(ledger)


def test_one_category_with_one_label(tmp_path: Path) -> None:
    run = Run(tmp_path, {"number_property": {"yes": 1}}, "statements")
    run.row(run.slot("number_property", "yes"), "8 is even", run.call(ONE, "1"))
    with run.ledger:
        quality = examine_generation(run.ledger)
    assert quality.sentence.startswith("1 of 1 rows, none wrong") and quality.cautions == []
    assert quality.items.departure == CellCounts(category="number_property", label="yes", quota=1, committed=1)


def test_an_item_of_no_known_call_has_an_unknown_author(tmp_path: Path) -> None:
    run = Run(tmp_path, STATEMENTS, "statements")
    run.refuse(run.slot("comparison", "no", 0), "answer")
    run.refuse(run.slot("comparison", "yes", 0), "deadline")
    with run.ledger:
        authors = examine_generation(run.ledger).items.authors
    assert authors == [ModelCounts(model="unknown", read=1, accepted=0, errors=proportion(1, 1))]


def test_a_model_whose_items_could_not_be_judged_has_no_rate(tmp_path: Path) -> None:
    run = Run(tmp_path, STATEMENTS, "statements")
    run.refuse(run.slot("comparison", "no", 0), "grammar", run.call(OTHER, "1"))
    with run.ledger:
        (author,) = examine_generation(run.ledger).items.authors
    assert author.errors == proportion(0, 0) and author.read == 1


def test_it_is_read_beside_the_run_that_writes(tmp_path: Path) -> None:
    run = statements(tmp_path)
    with run.ledger, LedgerReader(tmp_path) as beside:
        assert examine_generation(beside) == examine_generation(run.ledger)


def test_every_try_is_accounted_for(tmp_path: Path) -> None:
    """Rows, duplicates and rejects come from different tables and add up to the tries at all slots."""
    ledger, _ = opened(tmp_path)
    with ledger, closing(connect_ledger(tmp_path, write=False)) as database:
        fill(ledger, 7)
        tries = examine_generation(ledger).items
        (settled,) = database.execute("select sum(attempt) + (select count(*) from result) from slot").fetchone()
    assert tries.tries == settled > 16 and tries.duplicates > 0 and tries.given_up == 0


@pytest.mark.parametrize("kind", [statements, examples, many])
def test_it_travels_as_json(kind: Callable[[Path], Run], tmp_path: Path) -> None:
    with kind(tmp_path).ledger as ledger:
        quality = examine_generation(ledger)
    assert QualityReport.model_validate_json(quality.model_dump_json()) == quality


@pytest.mark.slow
def test_forty_thousand_rows_take_seconds(tmp_path: Path) -> None:
    run = many(tmp_path, 5000)
    for i in range(40_000):
        run.ledger.note(AttemptRecord(request=request(str(i)), reply=reply(latency=i / 1000), reason="ok"))
    with run.ledger:
        run.ledger.reserve("x", 1)
        start = time.process_time()
        quality = examine_generation(run.ledger)
        assert time.process_time() - start < 30
    assert quality.sentence.startswith("40,000 of 40,000 rows, none wrong by the independent check, 0 exact duplicates")
    assert quality.expenses.calls == 40_001 and len(quality.tells.tested) == 4
