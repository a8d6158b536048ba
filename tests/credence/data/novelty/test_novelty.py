"""Guards of texts: quiet on more of the same, loud on what is unlike training, and kept as plain data."""

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.registry import load_kind
from credence.data.novelty import EMPTY, MAX_WORDS, NONE_KNOWN, TextNovelty
from credence.data.novelty.messages import without_figures
from credence.data.novelty.text_features import WordTable, extract_numbers, split_words
from credence.data.novelty.value_range import ValueRange
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.data.schema import Schema
from credence.data.text import normalize_text
from credence.predictor import Predictor, TaskInfo
from credence.production.monitoring import Monitoring
from credence.production.monitoring.run import summarize_operations
from credence.security.log_policy import LogPolicy
from credence.statistics.calibration import Calibration
from tests.support.evaluation_cases import telling, text_predictor

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def vocabulary(n: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(LETTERS), 7)) for _ in range(n)]


def zipfian(n: int, seed: int, words: int = 4000, mean: float = 12.0) -> pd.Series:
    """Texts of words that grow rarer like 1 / rank, of very different lengths."""
    random, known = np.random.default_rng(seed), np.array(vocabulary(words))
    share = 1 / np.arange(1, words + 1)
    lengths = random.geometric(1 / mean, n) + 2
    return pd.Series([" ".join(random.choice(known, k, p=share / share.sum())) for k in lengths])


def statements(n: int, seed: int, most: int = 999) -> pd.Series:
    """Sums and comparisons of numbers from 1 to `most`."""
    random = np.random.default_rng(seed)
    a, b, sum_ = *random.integers(1, most, (2, n)), random.random(n) < 0.5
    return pd.Series(
        [f"{x} + {y} = {x + y}" if s else f"{x} is greater than {y}" for x, y, s in zip(a, b, sum_, strict=True)]
    )


def noted(n: int, seed: int) -> pd.Series:
    """Notes with a date, sometimes a price, and heavy-tailed amounts."""
    random = np.random.default_rng(seed)
    amounts, words = np.exp(random.normal(3, 1, n)), zipfian(n, seed, words=300, mean=6)
    return pd.Series(
        [f"{t}, on 1.{i % 12 + 1}.2024 for {a:,.2f}" for i, (t, a) in enumerate(zip(words, amounts, strict=True))]
    )


def numeric(n: int, seed: int) -> pd.Series:
    """Texts that hold no word at all, one in fifty of them empty."""
    random = np.random.default_rng(seed)
    return pd.Series(["" if u < 0.02 else f"{u:.3f} / {v:.3f}" for u, v in random.random((n, 2))])


WORLDS = {"zipfian": zipfian, "statements": statements, "noted": noted, "numeric": numeric}


def flagged(found: list[list[str]]) -> float:
    return float(np.mean([bool(why) for why in found]))


@pytest.mark.parametrize("world", WORLDS)
def test_more_of_the_same_is_hardly_ever_flagged(world: str) -> None:
    make = WORLDS[world]
    rates = [flagged(TextNovelty.learn(make(1000, seed)).reasons(make(3000, seed + 100))) for seed in range(2)]
    assert np.mean(rates) <= 0.01


def test_held_out_real_texts_are_hardly_ever_flagged(shared_data: Path) -> None:
    texts = pd.read_csv(shared_data / "sms_spam" / "spam.csv", encoding="cp1252")["v2"].astype(str)
    texts = texts.sample(frac=1, random_state=0).reset_index(drop=True)
    known = TextNovelty.learn(texts[:3000])
    assert flagged(known.reasons(texts[3000:])) <= 0.01
    assert known.reasons(pd.Series(["Das ist ein langer deutscher Satz mit vielen Wörtern"]))[0]


def test_larger_numbers_are_flagged_and_named() -> None:
    known, shifted = TextNovelty.learn(statements(2000, 0)), statements(1000, 1, most=12 * 999)
    assert flagged(known.reasons(shifted)) > 0.75
    most = known.numbers.high if known.numbers else 0
    assert known.reasons(pd.Series(["12,345 is greater than 7"])) == [
        [f"the number 12,345 is larger than any in training ({most:,.0f})"]
    ]
    assert known.reasons(pd.Series(["12,345 + 0 = −77777"]), quote=False) == [
        [f"a number is larger than any in training ({most:,.0f})", "a number is smaller than any in training (1)"]
    ]


@pytest.mark.parametrize("seed", range(3))
def test_words_of_another_domain_are_flagged(seed: int) -> None:
    known, other = TextNovelty.learn(zipfian(1000, seed)), np.array(vocabulary(3000, 99))
    texts = pd.Series([" ".join(np.random.default_rng(i).choice(other, 12)) for i in range(50)])
    mixed = pd.Series([f"{a} {b}" for a, b in zip(texts, zipfian(50, 7, words=50, mean=4.0), strict=True)])
    assert known.reasons(texts) == [[NONE_KNOWN]] * 50
    found = [why for row in known.reasons(mixed) for why in row]
    assert len(found) > 45 and all(why.endswith(" % of the words were never seen in training") for why in found)


def test_the_share_of_new_words_is_the_one_that_is_said() -> None:
    known = TextNovelty.learn(
        pd.Series([f"the {w} dog jumps over a lazy fox" for w in LETTERS] + ["a dog and the fox"])
    )
    assert known.reasons(pd.Series(["the dog xxx yyy zzz"]))[0] == ["60 % of the words were never seen in training"]


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_an_empty_text_is_flagged_where_training_had_none(text: str) -> None:
    assert TextNovelty.learn(zipfian(200, 0)).reasons(pd.Series([text])) == [[EMPTY]]
    assert TextNovelty.learn(numeric(500, 0)).reasons(pd.Series([text])) == [[]]


def test_lengths_far_beyond_those_of_training_are_flagged() -> None:
    texts = pd.Series([("word " * k).strip() for k in range(20, 41)])
    found = TextNovelty.learn(texts).reasons(pd.Series(["word " * 60, "word " * 5, "word " * 30, "wordword" * 22]))
    assert found[0] == ["the text is longer than any in training (300 characters, at most 199 there)"]
    assert found[1] == ["the text is shorter than any in training (25 characters, at least 99 there)"]
    assert found[2] == []
    assert found[3][0] == "the text is shorter than any in training (1 words, at least 20 there)"


def test_copies_and_rows_of_one_key_do_not_make_their_own_words_known() -> None:
    texts = zipfian(300, 0)
    alone = TextNovelty.learn(texts)
    assert TextNovelty.learn(pd.concat([texts] * 3, ignore_index=True)).new_words == alone.new_words
    twice = pd.concat([texts, texts + " indeed"], ignore_index=True)
    apart, together = TextNovelty.learn(twice), TextNovelty.learn(twice, pd.Series([*range(300), *range(300)]))
    assert apart.new_words.rate < 0.5 * together.new_words.rate
    assert together.new_words.rate == pytest.approx(alone.new_words.rate, rel=0.2)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("17 is prime", [17]),
        ("1,820 or 1.234.567,5", [1820, 1234567.5]),
        ("12.5 and 0,25", [12.5, 0.25]),
        ("= -5, −6 and 3-4", [-5, -6, 3, 4]),
        ("on 31.12.2024 from 10.0.0.1", []),
        ("b2b n12 covid19", []),
        ("100kg in 3rd", [100, 3]),
        ("9" * 400, [1e300]),
        ("½ ²", []),
        ("", []),
        ("x=4.", [4]),
        ("<b>7</b>", [7]),
        ("1,234,5", []),
        ("٣٤", [34]),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, numbers: list[float]) -> None:
    assert extract_numbers(normalize_text(text)) == numbers


def test_words_are_runs_of_letters() -> None:
    assert split_words(normalize_text("It's <br/>the 2nd Côté-rôti &amp; DON’T x_y")) == [
        "it's",
        "the",
        "nd",
        "côté",
        "rôti",
        "don’t",
        "x",
        "y",
    ]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_any_text_can_be_learned_and_judged_and_is_judged_alike_alone(texts: list[str]) -> None:
    series = pd.Series(texts, dtype=object)
    known = TextNovelty.learn(series)
    together = known.reasons(series)
    assert [known.reasons(series[i : i + 1])[0] for i in range(len(texts))] == together
    assert TextNovelty.model_validate_json(known.model_dump_json()).reasons(series) == together


def test_no_text_at_all_has_no_reasons() -> None:
    assert TextNovelty.learn(zipfian(50, 0)).reasons(pd.Series([], dtype=object)) == []


def test_the_vocabulary_is_bounded_and_keeps_the_frequent_words() -> None:
    words = WordTable.of(["rare often", "often thing", "often thing"])
    known, times = words.frequent(np.arange(3), 2)
    assert times.tolist() == [2, 3] or times.tolist() == [3, 2]
    assert list(known) == sorted(known) and len(known) == 2
    size = len(base64.b64encode(bytes(4 * MAX_WORDS)))
    assert size < 750_000
    stored = json.loads(TextNovelty.learn(zipfian(500, 0)).model_dump_json())["known"]
    assert len(stored) < 4 * 4000 * 4 / 3


def test_limits_leave_a_quarter_of_the_range() -> None:
    limits = ValueRange.of([0.0, 100.0])
    assert not limits.above(125) and limits.above(125.1)
    assert not limits.below(-25) and limits.below(-25.1)


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        ("the number 12,345 is larger than any in training (1,820)", "the number … is larger than any in training (…)"),
        ("41 % of the words were never seen in training", "… % of the words were never seen in training"),
        ("out of range: age2", "out of range: age2"),
        ("both answers fit", "both answers fit"),
    ],
)
def test_like_reasons_can_be_counted_together(reason: str, counted: str) -> None:
    assert without_figures(reason) == counted


def reviews(n: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    good, texts = random.random(n) < 0.5, zipfian(n, seed, words=200, mean=6)
    text = [
        f"{t} {'lovely' if g else 'awful'} {i % 30} stars" for i, (t, g) in enumerate(zip(texts, good, strict=True))
    ]
    return to_canonical_rows(
        pd.DataFrame({"t": text, "good": good.astype(int)}), Columns(label="good", positive=1, text="t")
    )


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    train = reviews(400)
    model = load_kind("models", "tfidf")(folds=1).fit(model_inputs(train), train["label"].to_numpy())
    about = TaskInfo(task="films", question="Praise?", answers=("no", "yes"))
    return Predictor.calibrate(model, train, reviews(200, 1), Calibration(), about)


def test_a_predictor_hands_strange_texts_back_also_after_saving(predictor: Predictor, tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["lovely 5000 stars", "", "lovely"]})
    predictor.save(tmp_path)
    for served in (predictor, Predictor.load(tmp_path)):
        found = served.predict(rows)
        assert found["reasons"][0][0] == "the number 5,000 is larger than any in training (29)"
        assert EMPTY in found["reasons"][1]
        assert found["abstain"][:2].all()
    assert Predictor.load(tmp_path).digest() == predictor.digest()
    assert flagged(predictor.input_warnings(reviews(600, 5))) <= 0.015
    assert not {f.suffix for f in tmp_path.rglob("*") if f.is_file()} & {".pkl", ".pickle"}


def test_what_is_logged_as_a_hash_is_not_quoted_in_a_reason(predictor: Predictor) -> None:
    info = predictor.info.model_copy(update={"log": LogPolicy(inputs="hashed")})
    discreet = Predictor(predictor.model, info, predictor.reference, predictor.seen)
    assert discreet.predict(pd.DataFrame({"text": ["lovely 4111111 stars"]}))["reasons"][0][0].startswith("a number is")


def test_other_words_of_training_are_another_predictor(predictor: Predictor) -> None:
    schema = Schema.learn(model_inputs(reviews(300)))
    other = predictor.info.model_copy(update={"schema_": schema})
    assert Predictor(predictor.model, other, predictor.reference, predictor.seen).digest() != predictor.digest()


def test_a_row_far_from_training_is_handed_back_where_the_model_knows_densities() -> None:
    served, rows = text_predictor()
    dense = telling(served, lambda X: {"ood_pvalue": np.where(X["text"].str.contains("superb"), 0.001, 0.6)})
    found = dense.predict(rows)
    sentence = "it lies far from the rows of training (0.1 % of those held out lie as far)"
    marked = [sentence in why for why in found["reasons"]]
    assert marked == rows["text"].str.contains("superb").tolist()
    assert list(found) == list(served.predict(rows))


def test_monitoring_counts_like_reasons_once_whatever_their_figures() -> None:
    beyond = [f"the number {9000 + i:,} is larger than any in training (29)" for i in range(4)]
    records = pd.DataFrame(
        {
            "request_id": list("abcd"),
            "source": "http",
            "latency_ms": 1.0,
            "time": pd.Timestamp("2024-01-01"),
            "abstain": True,
            "label": "yes",
            "probability": 0.9,
            "reasons": [[why, "both answers fit"] for why in beyond],
        }
    )
    found = summarize_operations(records, {"films:1": 4}, "yes", Monitoring(), 0, [])
    assert found.strange == {"the number … is larger than any in training (…)": 1.0, "both answers fit": 1.0}
