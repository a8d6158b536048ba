"""What a record says of an answer: the inputs under their own names, or as hashes where the task wants it so."""

import json
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.data.prediction_log.jsonl import decode_lines, encode_record
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, LogRecord, feedback_record, records_table
from credence.data.rows import internal_name
from credence.predictor import Predictor, PredictorInfo
from credence.production.answer_records import build_records
from credence.security.keyed_hash import KEY_FILE, KeyedHasher
from credence.security.log_policy import LogPolicy
from tests.support.serving_cases import trained
from tests.support.small_kinds import small

HASHER = KeyedHasher(b"k" * 32)


@pytest.fixture(scope="module")
def case() -> tuple[Predictor, pd.DataFrame]:
    return trained(small("logistic"))


@pytest.fixture(scope="module")
def texts() -> tuple[Predictor, pd.DataFrame]:
    return trained(small("tfidf"))


def made(case: tuple[Predictor, pd.DataFrame], **options: Any) -> list[LogRecord]:
    predictor, rows = case
    return build_records("abc", rows, predictor.predict(rows), predictor.info, **options)


def hashing(info: PredictorInfo, inputs: Any) -> PredictorInfo:
    return info.model_copy(update={"log": LogPolicy(inputs=inputs)})


def given(found: list[LogRecord]) -> list[dict[str, Any]]:
    return [json.loads(r["inputs"]) for r in found]


def test_there_is_one_record_per_row_with_every_column(case: tuple[Predictor, pd.DataFrame]) -> None:
    found = made(case, latency_ms=2.5, source="batch", role="challenger", delivered=False)
    assert [r["row"] for r in found] == list(range(len(case[1])))
    assert all(set(r) == set(PREDICTION.names) for r in found)
    shared = {"request_id": "abc", "task": "case", "version": "case:challenger", "latency_ms": 2.5}
    assert all(shared.items() <= r.items() for r in found)
    assert {(r["source"], r["role"], r["delivered"]) for r in found} == {("batch", "challenger", False)}
    assert len({r["time"] for r in found}) == 1 and found[0]["time"].tzinfo is not None


def test_answers_are_those_of_predict(case: tuple[Predictor, pd.DataFrame]) -> None:
    expected = case[0].predict(case[1]).reset_index(drop=True)
    found = records_table(made(case), PREDICTION).to_pandas()
    for column in ("label", "probability", "low", "high", "uncertainty", "epistemic", "aleatoric", "abstain"):
        assert found[column].tolist() == expected[column].tolist()
    assert found["set"].map(list).tolist() == expected["set"].tolist()
    assert found["reasons"].map(list).tolist() == expected["reasons"].tolist()


def test_what_a_point_model_cannot_know_is_null(texts: tuple[Predictor, pd.DataFrame]) -> None:
    unknown = ["low", "high", "epistemic", "aleatoric"]
    answers = texts[0].predict(texts[1]).assign(**dict.fromkeys(unknown, float("nan")))
    found = build_records("abc", texts[1], answers, texts[0].info)
    assert {found[0][c] for c in unknown} == {None}
    assert given(found)[0] == {"text": texts[1]["text"].iloc[0]}


def test_the_inputs_stand_under_their_raw_names_and_predict_the_same_again(
    case: tuple[Predictor, pd.DataFrame],
) -> None:
    predictor, rows = case
    found = given(made(case))
    assert list(found[0]) == ["age (years)", "dose, mg", "smokes", "key", "colour", "first seen", "clinic"]
    assert any(r["dose, mg"] is None for r in found) and any(r["colour"] is None for r in found)
    again = pd.DataFrame(found).rename(columns=internal_name).assign(group=rows["group"].to_numpy())
    expected = predictor.predict(rows)["probability"].tolist()
    assert predictor.predict(again)["probability"].tolist() == pytest.approx(expected, abs=1e-12)


def test_one_column_is_hashed_and_the_others_are_plain(case: tuple[Predictor, pd.DataFrame]) -> None:
    predictor, rows = case
    info = hashing(predictor.info, {"colour": "hashed"})
    found = given(build_records("a", rows, predictor.predict(rows), info, hasher=HASHER))
    for was, now in zip(rows.to_dict("records"), found, strict=True):
        assert now["colour"] == (None if was["colour"] is None else HASHER("colour", was["colour"]))
        assert now["age (years)"] == was["age (years)"]


def test_all_inputs_are_hashed_and_so_is_the_group(case: tuple[Predictor, pd.DataFrame]) -> None:
    """The group is a column as well; it would give the hashed one away."""
    predictor, rows = case
    info = hashing(predictor.info, "hashed")
    found = build_records("a", rows, predictor.predict(rows), info, hasher=HASHER)
    values = [v for r in given(found) for v in r.values() if v is not None]
    assert all(isinstance(v, str) and v.startswith("#") and len(v) == 17 for v in values)
    assert {r["group"] for r in found} == {HASHER("clinic", g) for g in set(rows["group"])}
    assert not any(word in json.dumps(found, default=str) for word in ("north", "south", "green", "white"))


def test_a_hash_is_the_same_however_the_value_was_sent(case: tuple[Predictor, pd.DataFrame]) -> None:
    """A batch job has numbers and moments where a request has words."""
    predictor, rows = case
    info = hashing(predictor.info, "hashed")
    first = rows.head(1).assign(colour="7", **{"age (years)": 50.0})
    day = str(first["first seen"].iloc[0].date())
    other = first.astype({"first seen": object}).assign(colour=7, **{"first seen": day, "age (years)": 50})
    answer = predictor.predict(first)
    assert given(build_records("a", first, answer, info, hasher=HASHER)) == given(
        build_records("a", other, answer, info, hasher=HASHER)
    )


def test_texts_are_hashed_too(texts: tuple[Predictor, pd.DataFrame]) -> None:
    predictor, rows = texts
    info = hashing(predictor.info, {"text": "hashed"})
    found = given(build_records("a", rows, predictor.predict(rows), info, hasher=HASHER))
    assert [r["text"] for r in found] == [HASHER("text", t) for t in rows["text"]]


def test_without_a_hasher_nothing_is_written_plainly(case: tuple[Predictor, pd.DataFrame]) -> None:
    predictor, rows = case
    with pytest.raises(InputError, match=r"'colour' is logged as a hash.*Hasher\.of"):
        build_records("a", rows, predictor.predict(rows), hashing(predictor.info, {"colour": "hashed"}))


def test_half_characters_are_logged_as_json_can_hold_them(texts: tuple[Predictor, pd.DataFrame]) -> None:
    """JSON lets lone surrogates through, UTF-8 does not."""
    predictor, rows = texts
    rows = rows.head(2).assign(text=["good \ud800 parcel", "schön — 好"], group="\udfff")
    made = build_records("\ud800", rows, predictor.predict(rows), predictor.info)
    found = decode_lines(b"".join(map(encode_record, made)), PREDICTION).table.to_pylist()
    assert [json.loads(r["inputs"])["text"] for r in found] == rows["text"].tolist()
    assert "schön — 好" in found[1]["inputs"]
    assert found[0]["group"] == "?"


def test_feedback_is_one_row_of_its_own() -> None:
    found = decode_lines(encode_record(feedback_record("abc", "yes", 3)), FEEDBACK).table.to_pylist()[0]
    assert (found["request_id"], found["label"], found["row"]) == ("abc", "yes", 3)


class TestHasher:
    def test_the_first_of_many_makes_the_key(self, tmp_path: Path) -> None:
        together, found = threading.Barrier(16), set()

        def work() -> None:
            together.wait()
            found.add(KeyedHasher.of(tmp_path / "log")("a", "x"))

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {KeyedHasher.of(tmp_path / "log")("a", "x")}
        assert [f.name for f in (tmp_path / "log").iterdir()] == [KEY_FILE]
        assert (tmp_path / "log" / KEY_FILE).stat().st_mode & 0o777 == 0o600

    def test_logs_and_columns_have_hashes_of_their_own(self, tmp_path: Path) -> None:
        one, other = KeyedHasher.of(tmp_path / "one"), KeyedHasher.of(tmp_path / "other")
        assert len({one("a", "x"), one("b", "x"), one("a", "y"), other("a", "x")}) == 4
        assert one("a", 1.0) == one("a", "1") == one("a", " 1 ")

    def test_a_damaged_key_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / KEY_FILE).write_bytes(b"short")
        with pytest.raises(InputError, match="holds 5 bytes; expected the 32 of a key"):
            KeyedHasher.of(tmp_path)
