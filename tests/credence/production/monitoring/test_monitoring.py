"""The verdict on a window: quiet where nothing changed, drift that names what did, and sentences for what is wrong."""

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.predictor import Predictor
from credence.production.monitoring import Monitoring
from credence.production.monitoring.hypothesis_tests import ks_test
from credence.production.monitoring.run import monitor_window
from credence.production.monitoring.summary import MonitoringSummary
from credence.security.log_policy import LogPolicy
from tests.support.monitoring_cases import START, fitted, logged, said, shown, table, texts, watched
from tests.support.small_kinds import small


def moved(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(age=rows["age"] + 10.0)


def hashing(predictor: Predictor, *columns: str) -> Predictor:
    """The same predictor under a policy that hashes some columns."""
    info = predictor.info.model_copy(update={"log": LogPolicy(inputs=dict.fromkeys(columns, "hashed"))})
    return Predictor(predictor.model, info, predictor.reference, predictor.seen)


def test_nothing_changed_is_quiet_and_says_on_how_much_that_rests() -> None:
    health = said(table())
    assert health.verdict == "quiet" and health.troubles == [] and not health.retrain
    assert health.reason == "On 600 rows nothing differs significantly from the 700 reference rows."
    assert health.drift.drifted() == [] and health.drift.enough


def test_a_shifted_column_is_drift_and_it_alone_is_named() -> None:
    health = said(moved(table()))
    assert health.verdict == "drift" and health.drift.drifted() == ["age"]
    assert health.reason.startswith(
        "On 600 rows age and the probabilities of the answers differ from the reference: age: "
    )
    assert "the median went from 49" in health.reason and health.troubles[0] == health.reason


def test_the_probabilities_of_test_rows_are_the_measure_not_those_of_rows_that_trained() -> None:
    """A forest is far surer of the rows it has learned than of any other: that is no drift."""
    model = ModelSpec(kind="extra_trees", folds=1, trees=200).build()
    forest = fitted(model, table(900, 0), "clinic")
    own, fresh = (forest.draws(rows).mean(0) for rows in (forest.reference, table(400, 5)))
    assert ks_test(own, fresh, 400)[1] < 0.001
    assert said(table(), forest).verdict == "quiet"


def test_copies_are_no_evidence() -> None:
    """A hundred rows over and over, and drawn with replacement and changed a little where drift is looked for."""
    few, random = table(110, 3), np.random.default_rng(0)
    again = few.iloc[np.arange(5000) % 110].reset_index(drop=True)
    health = said(again)
    assert health.verdict == "quiet" and health.drift.distinct == health.drift.effective == 110
    assert "5,000 rows (worth 110 independent ones)" in health.reason
    noisy = few.iloc[random.integers(0, 110, 5000)].reset_index(drop=True)
    health = said(noisy.assign(age=noisy["age"] + random.normal(10, 1, 5000)))
    assert health.drift.distinct == 5000 and health.drift.effective < 130
    assert health.verdict == "drift" and health.drift.drifted() == ["age"]


def test_a_stuck_column_is_no_copy() -> None:
    rows = table()
    assert said(rows.assign(age=rows["age"].iloc[0])).drift.drifted() == ["age"]


def test_the_same_rows_every_hour_are_bet_on_once() -> None:
    predictor, rows, memory = watched(), table(110, 3), None
    for hour in range(4):
        window = logged(predictor, rows, START + pd.Timedelta(hours=hour))
        found = monitor_window(predictor, window, Monitoring(), earlier=memory).sequential
        assert found.rows == (0 if hour else 110) and not found.alarm
        memory = found.memory


def test_a_prober_that_asks_the_same_all_day_does_not_blind() -> None:
    rows = moved(table(400, 3))
    with_prober = pd.concat([rows, table(50, 4).iloc[np.zeros(4000, int)]], ignore_index=True)
    assert said(with_prober).drift.drifted() == ["age"]


def test_too_few_rows_are_quiet_and_say_so() -> None:
    health = said(table(99, 3))
    assert health.verdict == "quiet" and not health.drift.enough
    assert health.reason == "99 rows: fewer than the 100 of monitoring.minimum_rows, too few to test."
    alarmed = said(moved(table(99, 3)))
    assert alarmed.verdict == "watch" and alarmed.drift.drifted() == []
    assert alarmed.reason.startswith(
        "On 99 rows there are too few to test this window alone, but the exchangeability martingale"
    )
    assert said(moved(table(99, 3)), minimum_rows=50).verdict == "drift"


def test_a_small_sure_change_is_worth_a_watch() -> None:
    health = said(moved(table(2000, 3)), effect=0.9)
    assert health.verdict == "watch" and health.drift.drifted() == []
    assert "differ significantly, but by less than monitoring.effect, from the reference" in health.reason


def test_an_ignored_column_is_shown_and_no_cause() -> None:
    rows = table().assign(key_="green")
    assert said(rows).drift.drifted() == ["key"]
    health = said(rows, ignore=["key"])
    assert health.verdict == "quiet"
    assert next(w for w in health.drift.watched if w.column == "key").change == "aside"
    with pytest.raises(InputError, match=r"monitoring.ignore: no column 'kee' is watched. Did you mean 'key'"):
        said(rows, ignore=["kee"])


def test_a_date_moves_on_by_itself() -> None:
    health = said(table().assign(**{"first seen": pd.Timestamp("2024-11-20")}))
    assert health.drift.drifted() == []
    shown = next(w for w in health.drift.watched if w.column == "first seen")
    assert shown.change == "aside" and shown.distance > 0.9


def test_gaps_categories_and_groups_are_watched() -> None:
    rows = table()
    assert said(rows.assign(**{"dose, mg": rows["dose, mg"].mask(rows.index < 200)})).drift.drifted() == ["dose, mg"]
    assert said(rows.assign(clinic="east")).drift.drifted() == ["clinic"]
    sentence = next(w.sentence for w in said(rows.assign(key_="red")).drift.watched if w.column == "key")
    assert " to 100 %" in sentence or "'blue' went from" in sentence


def test_hashed_columns_are_not_watched_and_named_as_such() -> None:
    predictor = hashing(watched(), "age", "clinic")
    health = said(table(), predictor)
    assert health.drift.unwatched == {"age": "kept as a hash only", "clinic": "kept as a hash only"}
    assert {w.column for w in health.drift.watched} == {"dose, mg", "key", "first seen", "probability"}


def test_texts_that_read_otherwise_are_found() -> None:
    predictor = watched("tfidf")
    assert said(texts(), predictor).verdict == "quiet"
    other = said(texts(words=["invoice", "refund", "account", "login", "bank"]), predictor)
    traits = {w.trait for w in other.drift.watched if w.change == "drifted"}
    assert other.verdict == "drift" and other.drift.drifted() == ["text"]
    assert {"share of unknown words", "wording"} <= traits
    shuffled = said(texts(words=["the", "very", "big", "big", "big"]), predictor)
    assert "wording" in {w.trait for w in shuffled.drift.watched if w.change == "drifted"}


def test_texts_without_spaces_are_compared_by_their_characters() -> None:
    chinese = ["包裹", "星期", "到了", "蓝色", "纸张", "里面", "很大", "还有"]
    rows = texts(1900, 0, chinese).assign(text=lambda rows: rows["text"].str.replace(" ", ""))
    known, usual, tested = (rows[a:b].reset_index(drop=True) for a, b in ((0, 900), (900, 1500), (1500, 1900)))
    other = usual.assign(text=usual["text"].str.replace("星期", "账户").str.replace("蓝色", "登录"))
    predictor = fitted(small("tfidf"), known, None)
    assert said(usual, predictor, tested=tested).verdict == "quiet"
    compared = said(other, predictor, tested=tested).drift.watched
    assert "share of unknown words" in {w.trait for w in compared if w.change == "drifted"}


def test_only_the_champions_answers_are_judged_and_the_others_are_counted() -> None:
    rows, predictor = table(), watched()
    mixed = pd.concat([logged(predictor, rows), logged(predictor, moved(rows), version="2")], ignore_index=True)
    health = monitor_window(predictor, mixed, Monitoring(), test=shown(predictor, table(400, 9)))
    assert health.verdict == "quiet" and health.drift.rows == 600
    assert health.operations.versions == {"3": 600, "2": 600}


def test_a_window_that_cannot_be_judged_is_one_sentence() -> None:
    predictor, window = watched(), logged(watched(), table(60))
    with pytest.raises(InputError, match=r"log of 'case' holds no answer in the window; send some requests, or widen"):
        monitor_window(predictor, window.iloc[:0], Monitoring())
    with pytest.raises(InputError, match=r"no answer in the window is by version 3: it holds 2 \(60 rows\)"):
        monitor_window(predictor, window.assign(version="2"), Monitoring())
    other = window.assign(inputs=[i.replace('"age"', '"aged"') for i in window["inputs"]])
    with pytest.raises(InputError, match=r"has no input 'age', which this predictor reads.*Did you mean 'aged'"):
        monitor_window(predictor, other, Monitoring())
    wrong = window.assign(
        inputs=[i.replace('"age": ', '"age": "x').replace(', "dose', '", "dose') for i in window["inputs"]]
    )
    with pytest.raises(InputError, match=r"'age', row 1.*is not a number"):
        monitor_window(predictor, wrong, Monitoring())


def test_drift_starts_training_only_where_the_task_asks_for_it() -> None:
    assert said(moved(table()), retrain=True).retrain
    assert not said(moved(table())).retrain
    assert not said(table(), retrain=True).retrain


def test_health_survives_json() -> None:
    health = said(moved(table()))
    assert MonitoringSummary(**json.loads(health.model_dump_json())) == health
    assert MonitoringSummary.model_validate_json(health.model_dump_json()) == health


def test_the_service_is_measured() -> None:
    predictor, rows = watched(), table()
    window = logged(predictor, rows).assign(latency_ms=np.linspace(1, 201, 600))
    found = monitor_window(predictor, window, Monitoring(latency_ms=150), dropped=3, skipped=["a.jsonl: 1 lines, torn"])
    service = found.operations
    assert service.latency_ms["p50"] == pytest.approx(101) and service.latency_ms["p95"] == pytest.approx(191)
    assert service.slow and service.requests == service.records == 600
    assert service.abstained == window["abstain"].mean() and service.yes == (window["label"] == "yes").mean()
    assert found.troubles == [
        "95 % of the requests took up to 191 ms; the bound is 150 ms.",
        "3 records were dropped under load and are not in these figures.",
        "The log could not be read whole: a.jsonl: 1 lines, torn.",
    ]
    assert service.answers["probability"][0] == pytest.approx(window["probability"][:50].mean())
    far = said(rows.assign(age=500.0)).operations
    assert far.strange["out of range: age"] == 1.0 and far.abstained == 1.0


def test_the_section_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValidationError, match=r"'soon' is not a duration.* A number of rows is possible too"):
        Monitoring(window="soon")
    with pytest.raises(ValidationError, match="a window of 0 rows is empty"):
        Monitoring(window=0)
    with pytest.raises(ValidationError, match="alfa"):
        Monitoring(alfa=0.1)


def test_a_window_is_a_span_or_a_number_of_rows() -> None:
    now, window = START.to_pydatetime(), logged(watched(), table(60)).sample(frac=1, random_state=0)
    assert Monitoring(window="6h").since(now) == START - pd.Timedelta(hours=6)
    assert Monitoring(window=10).since(now) is None
    assert len(Monitoring(window="6h").newest(window)) == 60
    assert Monitoring(window=10).newest(window)["time"].tolist() == window["time"].sort_values().tolist()[-10:]


def test_every_field_is_described() -> None:
    fields = {**Monitoring.model_fields, **Monitoring.model_fields["alerts"].annotation.model_fields}
    assert all(f.description for name, f in fields.items() if name != "alerts")
