"""The service in this process, without sockets: what it answers, and every way in which a request can be wrong."""

import importlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bentoml.exceptions import BentoMLException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import bentos.service
from bentos.api.path_metrics import UNKNOWN
from bentos.packaging.parity_check import rows_as_requests
from bentos.runtime.lazy_torch import absent, lazy_torch
from bentos.schema.json_values import MAX_SAFE_INTEGER, parse_json_value
from bentos.schema.models import MAX_ROWS, describe_column, example_of, requests_table, row_model
from bentos.service import served_model
from credence.core.errors import InputError
from credence.data.rows import internal_name, original_name
from credence.data.schema import Column, parse_column
from credence.evaluation.explain import explain_rows
from credence.predictor import Predictor
from credence.security.signing import seal
from tests.support.serving_cases import client, kept, trained
from tests.support.small_kinds import small

ROOT = Path(__file__).parents[2]
Case = tuple[TestClient, Predictor, pd.DataFrame, list[dict[str, Any]]]
CARD = "# Is it so?\n\nMostly."


def case(kind: str, name: str, folder: Path) -> Iterator[Case]:
    predictor, rows = trained(small(kind), name)
    with client(kept(predictor, folder, CARD if name == "table" else ""), name) as http:
        yield http, predictor, rows, rows_as_requests(rows, predictor)


@pytest.fixture(scope="module")
def tabular(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    yield from case("logistic", "table", tmp_path_factory.mktemp("table") / "predictor")


@pytest.fixture(scope="module")
def textual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    yield from case("tfidf", "texts", tmp_path_factory.mktemp("texts") / "predictor")


def refused(http: TestClient, body: Any, path: str = "/predict") -> tuple[str, str | None]:
    """The sentence and the field of a refusal, which is one sentence and no traceback."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = http.post(path, content=content)
    found = response.json()
    assert response.status_code == 400, response.text
    assert set(found) == {"error", "field"}
    assert "Traceback" not in found["error"]
    assert "\n" not in found["error"]
    assert len(found["error"]) < 500
    return found["error"], found["field"]


def test_an_answer_is_what_the_predictor_says(tabular: Case) -> None:
    http, predictor, rows, bodies = tabular
    expected = predictor.predict(rows).iloc[0].to_dict()
    answer = http.post("/predict", json=bodies[0]).json()
    assert answer.keys() == expected.keys()
    for name, value in expected.items():
        assert answer[name] == (pytest.approx(value, abs=1e-9) if isinstance(value, float) else value), name


def test_a_model_of_one_opinion_leaves_out_what_it_cannot_know(tmp_path: Path) -> None:
    model = small("logistic").model_copy(update={"folds": 1})
    predictor, rows = trained(model, "single")
    with client(kept(predictor, tmp_path / "predictor"), "single") as http:
        answer = http.post("/predict", json=rows_as_requests(rows, predictor)[0]).json()
    assert [answer[name] for name in ("low", "high", "epistemic", "aleatoric")] == [None] * 4
    assert 0 <= answer["probability"] <= 1


def test_the_order_of_fields_says_nothing(tabular: Case) -> None:
    http, _, _, bodies = tabular
    turned = dict(reversed(bodies[0].items()))
    assert http.post("/predict", json=turned).json() == http.post("/predict", json=bodies[0]).json()


def test_a_flag_may_be_true_or_one(tabular: Case) -> None:
    http, _, _, bodies = tabular
    answers = [http.post("/predict", json=bodies[0] | {"smokes": value}).json() for value in (True, 1, 1.0)]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0] != http.post("/predict", json=bodies[0] | {"smokes": False}).json()


def test_a_missing_value_is_null_where_training_saw_some(tabular: Case) -> None:
    http, predictor, rows, bodies = tabular
    body = bodies[0] | {"dose, mg": None, "colour": None}
    assert http.post("/predict", json=body).json() == http.post("/predict", json=body | {"colour": " NA "}).json()
    row = rows.iloc[[0]].assign(**{"dose, mg": np.nan, "colour": None})
    assert http.post("/predict", json=body).json()["probability"] == pytest.approx(
        predictor.predict(row)["probability"].item()
    )


def test_what_training_never_saw_is_answered_with_doubt(tabular: Case) -> None:
    http, _, _, bodies = tabular
    answer = http.post("/predict", json=bodies[0] | {"age (years)": 900, "colour": "ultraviolet"}).json()
    assert answer["abstain"]
    assert {"out of range: age (years)", "unseen category: colour"} <= set(answer["reasons"])


KNOWN = "age (years), clinic, colour, dose, mg, first seen, key, smokes"
RANGE = "expected a number between -1e+30 and 1e+30"
DATE = "expected a date such as 2024-01-31"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("age (years)", "old", ": expected a number, not 'old'."),
        ("age (years)", "51", ": expected a number, not '51'."),
        ("age (years)", True, ": expected a number, not true."),
        ("age (years)", [51], ": expected a number, not a list."),
        ("age (years)", {"a": 1}, ": expected a number, not an object."),
        ("age (years)", None, ": expected a number, not null: it was never missing in training."),
        ("age (years)", 1e31, f": {RANGE}, not 1e+31."),
        ("age (years)", float("nan"), f": {RANGE}, not nan."),
        ("age (years)", float("-inf"), f": {RANGE}, not -inf."),
        ("age (years)", 10**400, f": {RANGE}, not a number of more than 40 digits."),
        ("key", " n/a ", ": expected a word, not ' n/a ': it was never missing in training."),
        ("key", ["red"], ": expected a word, not a list."),
        ("key", float("inf"), f": {RANGE}, not inf."),
        ("first seen", 20240131, f": {DATE}, not 20240131."),
        ("first seen", "soon", f": {DATE}, not 'soon'."),
        ("first seen", "today", f": {DATE}, not 'today'."),
        ("first seen", "9999-99-99", f": {DATE}, not '9999-99-99'."),
        ("first seen", "x" * 99, f": {DATE}, not '{'x' * 39}…."),
        ("clinic", {}, ": expected a word, not an object."),
        ("age years", 51, " is not known. Did you mean 'age (years)'?"),
        ("key_", "red", " is not known. Did you mean 'key'?"),
        ("label", 1, f" is not known. Known: {KNOWN}."),
        ("Größe\n", 1, f" is not known. Known: {KNOWN}."),
    ],
)
def test_a_wrong_field_is_named_in_one_sentence(tabular: Case, field: str, value: Any, sentence: str) -> None:
    http, _, _, bodies = tabular
    assert refused(http, bodies[0] | {field: value}) == (f"field {field!r}{sentence}", field)


@pytest.mark.parametrize("name", ["age (years)", "dose, mg", "smokes", "key", "colour", "first seen"])
def test_every_field_has_to_be_given(tabular: Case, name: str) -> None:
    http, _, _, bodies = tabular
    body = {k: v for k, v in bodies[0].items() if k != name}
    assert refused(http, body) == (f"field {name!r} is missing; it has to be given.", name)


def test_a_misspelt_field_gets_a_hint_and_not_the_news_that_it_is_missing(tabular: Case) -> None:
    http, _, _, bodies = tabular
    body = {k.replace("colour", "color"): v for k, v in bodies[0].items()}
    assert refused(http, body) == ("field 'color' is not known. Did you mean 'colour'?", "color")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 50_000,
        b"null",
        b"3",
        b'"row"',
        b"[]",
        b"true",
        b'{"a": 01}',
        b'{"age (years)": "\\ud800"}',
        b'{"age (years)":' + b"9" * 6000 + b"}",
        b'{"\\u0000": 1}',
        b"{" + b'"a":{' * 5000 + b"}" * 5001,
    ],
)
def test_a_body_that_is_no_row_is_refused(tabular: Case, body: bytes) -> None:
    for path in ("/predict", "/batch_predict", "/explain"):
        refused(tabular[0], body, path)


def test_a_long_name_is_cut(tabular: Case) -> None:
    assert len(refused(tabular[0], {"x" * 100_000: 1})[1] or "") == 80


@pytest.mark.parametrize(
    "media", ["text/plain", "multipart/form-data", "application/vnd.bentoml+arrow", "image/png", ""]
)
def test_json_is_answered_in_json_whatever_the_request_calls_itself(tabular: Case, media: str) -> None:
    http, _, _, bodies = tabular
    response = http.post("/predict", content=json.dumps(bodies[0]), headers={"Content-Type": media})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")


def test_a_pickle_is_not_opened(tabular: Case) -> None:
    headers = {"Content-Type": "application/vnd.bentoml+pickle"}
    assert tabular[0].post("/predict", content=b"cos\nsystem\n(S'true'\ntR.", headers=headers).status_code == 415


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_request_makes_the_server_fail(tabular: Case, data: st.DataObject) -> None:
    http, _, _, bodies = tabular
    name = data.draw(st.sampled_from([*bodies[0], "nobody"]))
    body = {**bodies[0], name: data.draw(JSON)}
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    response = http.post("/predict", content=content)
    assert response.status_code in (200, 400), response.text
    if response.status_code == 200:
        assert 0 <= response.json()["probability"] <= 1
    else:
        assert response.json()["error"]


def test_a_batch_is_its_rows(tabular: Case) -> None:
    http, _, _, bodies = tabular
    answers = http.post("/batch_predict", json={"rows": bodies[:7]}).json()["answers"]
    for body, together in zip(bodies[:7], answers, strict=True):
        alone = http.post("/predict", json=body).json()
        assert alone["probability"] == pytest.approx(together["probability"], abs=1e-12)
        assert (alone["label"], alone["reasons"], alone["set"]) == (
            together["label"],
            together["reasons"],
            together["set"],
        )


def test_a_batch_has_limits_and_says_so(tabular: Case) -> None:
    http, _, _, bodies = tabular
    assert refused(http, {"rows": []}, "/batch_predict") == ("field 'rows' holds 0 rows; expected 1 to 10,000.", "rows")
    many = {"rows": [bodies[0]] * (MAX_ROWS + 1)}
    assert refused(http, many, "/batch_predict") == ("field 'rows' holds 10001 rows; expected 1 to 10,000.", "rows")
    assert http.post("/batch_predict", content=b" " * (17 << 20)).status_code == 413


@pytest.mark.parametrize(
    ("body", "sentence", "field"),
    [
        ({"rows": [{}]}, "rows[0], field 'age (years)' is missing; it has to be given.", "rows[0].age (years)"),
        ({"rows": 3}, "field 'rows' is 3; expected a list.", "rows"),
        ({"rows": [3]}, "rows[0] is 3; expected an object with the fields of a row.", "rows[0]"),
        ({}, "field 'rows' is missing; it has to be given.", "rows"),
        ({"row": []}, "field 'row' is not known. Did you mean 'rows'?", "row"),
        ({"texts": ["a"]}, "field 'texts' is not known. Known: rows.", "texts"),
        ([], "the body is a list; expected an object with the fields of a row.", None),
    ],
)
def test_a_wrong_batch_is_refused_with_the_place(tabular: Case, body: Any, sentence: str, field: str | None) -> None:
    assert refused(tabular[0], body, "/batch_predict") == (sentence, field)


def test_a_wrong_row_of_a_batch_is_named(tabular: Case) -> None:
    http, _, _, bodies = tabular
    body = {"rows": [bodies[0], bodies[1], bodies[2] | {"key": None}]}
    assert refused(http, body, "/batch_predict")[1] == "rows[2].key"


def test_texts_are_answered_alone_as_rows_and_as_a_list(textual: Case) -> None:
    http, predictor, rows, bodies = textual
    texts = [body["text"] for body in bodies[:5]]
    expected = predictor.predict(rows.head(5))["probability"].to_list()
    as_rows = http.post("/batch_predict", json={"rows": [{"text": t} for t in texts]}).json()["answers"]
    as_texts = http.post("/batch_predict", json={"texts": texts}).json()["answers"]
    alone = [http.post("/predict", json={"text": t}).json() for t in texts]
    for found in (as_rows, as_texts, alone):
        assert [a["probability"] for a in found] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("text", ["", " ", "ünïcödé 🎉", "a\x00b", "x " * 100_000, "null", "<script>"])
def test_any_text_is_answered(textual: Case, text: str) -> None:
    response = textual[0].post("/predict", json={"text": text})
    assert response.status_code == 200
    assert 0 <= response.json()["probability"] <= 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/predict", {"text": 3}, "text"),
        ("/predict", {"text": None}, "text"),
        ("/predict", {"txt": "a"}, "txt"),
        ("/predict", {"review": "a"}, "review"),
        ("/predict", {"text": "a", "shop": []}, "shop"),
        ("/batch_predict", {"texts": ["a", 3]}, "texts[1]"),
        ("/batch_predict", {"texts": "a"}, "texts"),
        ("/batch_predict", {"texts": ["a"], "rows": [{"text": "a"}]}, None),
        ("/batch_predict", {}, None),
        ("/batch_predict", {"texts": []}, "texts"),
        ("/batch_predict", {"texts": None}, None),
    ],
)
def test_wrong_texts_are_refused(textual: Case, path: str, body: Any, field: str | None) -> None:
    assert refused(textual[0], body, path)[1] == field


@pytest.mark.parametrize("shop", ["one", "unheard of", None, 3, ""])
def test_the_group_may_be_given_or_left_out(textual: Case, shop: Any) -> None:
    assert textual[0].post("/predict", json={"text": "fine", "shop": shop}).status_code == 200


def test_an_explanation_is_the_one_of_explain_rows(tabular: Case, textual: Case) -> None:
    for http, predictor, rows, bodies in (tabular, textual):
        found = http.post("/explain", json=bodies[0]).json()
        expected = [(original_name(c), v) for c, v in explain_rows(predictor, rows.iloc[[0]])[0]]
        given = [(part["column"], part["contribution"]) for part in found["contributions"]]
        assert [c for c, _ in given] == [c for c, _ in expected]
        assert [v for _, v in given] == pytest.approx([v for _, v in expected], abs=1e-9)
        assert found["version"] == predictor.info.version
    assert refused(tabular[0], {}, "/explain")[1] == "age (years)"


def test_the_pages_beside_the_predictions(tabular: Case, textual: Case) -> None:
    http, predictor, _, _ = tabular
    assert http.get("/health").json() == {"status": "ok", "version": predictor.info.version}
    about = http.get("/").json()
    assert (about["question"], about["answers"]) == ("Is it so?", ["no", "yes"])
    page = http.get("/", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<h1>Is it so?</h1>" in page.text
    assert "googletagmanager" not in page.text
    assert http.get("/card").text == CARD
    assert textual[0].get("/card").status_code == 404
    assert [http.get(path).status_code for path in ("/livez", "/readyz", "/healthz", "/metrics")] == [200] * 4
    assert http.get("/predict").status_code == 405
    assert http.get("/nowhere").status_code == 404


def test_the_documentation_shows_the_real_names_types_and_ranges(tabular: Case) -> None:
    row = tabular[0].get("/docs.json").json()["components"]["schemas"]["Row"]
    types = {name: about["type"] for name, about in row["properties"].items()}
    assert types == {
        "age (years)": "number",
        "dose, mg": "number",
        "smokes": "number",
        "key": "string",
        "colour": "string",
        "first seen": "string",
        "clinic": "string",
    }
    assert row["properties"]["key"]["description"] == "category; training saw dark blue, red"
    assert "null where it is missing" in row["properties"]["dose, mg"]["description"]
    assert row["properties"]["first seen"]["description"].startswith("date; training saw 2023-01-")
    assert row["required"] == [*types]
    assert row["additionalProperties"] is False


def test_the_example_of_the_documentation_works(tabular: Case, textual: Case) -> None:
    for http, *_ in (tabular, textual):
        example = http.get("/docs.json").json()["components"]["schemas"]["Row"]["example"]
        answer = http.post("/predict", json=example)
        assert answer.status_code == 200
        assert not [why for why in answer.json()["reasons"] if "range" in why or "unseen" in why]


def test_requests_are_counted(tabular: Case) -> None:
    tabular[0].post("/predict", json={})
    assert 'endpoint="/predict",http_response_code="400"' in tabular[0].get("/metrics").text


INVENTED = [
    *(f"/invented-{i}{end}" for i in range(8) for end in ("", "/", "/predict", "//", "%20x")),
    "/static_content/invented",
    "/static_content/index.html",
    "/metrics/invented",
    "/predict/invented",
    "/predict//",
    "/livez/invented",
    "/readyz-invented",
    "//invented",
    "/PREDICT",
    "/card.invented",
]


def endpoints(metrics: str) -> Counter[str]:
    """How often BentoML counted which path."""
    samples = [s for family in text_string_to_metric_families(metrics) for s in family.samples]
    counted = [s for s in samples if s.name == "bentoml_service_request_total"]
    labels = {s.labels["endpoint"] for s in samples if "endpoint" in s.labels}
    return Counter({path: int(sum(s.value for s in counted if s.labels["endpoint"] == path)) for path in labels})


def test_paths_that_callers_invent_are_counted_as_one(tabular: Case) -> None:
    http, before = tabular[0], endpoints(tabular[0].get("/metrics").text)
    asked = [http.get(f"http://testserver{path}") for path in INVENTED]
    with pytest.raises(WebSocketDisconnect), http.websocket_connect("/invented"):
        pass
    after = endpoints(http.get("/metrics").text)
    assert after.keys() - before.keys() <= {UNKNOWN}
    assert after - before == {UNKNOWN: 50}
    assert len(INVENTED) == 50 and {answer.status_code for answer in asked} == {404}


def test_one_slash_too_many_leads_to_the_path_without(tabular: Case) -> None:
    answer = tabular[0].post("/predict/", json={}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "http://testserver/predict")


def test_keys_guard_the_whole_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, rows = trained(small("logistic"), "guarded")
    monkeypatch.setenv("CREDENCE_API_KEYS", "a-secret-key")
    with client(kept(predictor, tmp_path / "predictor"), "guarded") as http:
        body = rows_as_requests(rows, predictor)[0]
        assert http.post("/predict", json=body).status_code == 401
        assert http.get("/docs.json").status_code == 401
        assert http.post("/predict", json=body, headers={"X-API-Key": "a-secret-key"}).status_code == 200
        assert http.get("/readyz").status_code == 200
        assert "a-secret-key" not in http.get("/metrics").text


def column(kind: Any, **about: Any) -> Column:
    return Column(name="x", kind=kind, nullable=True, **about)


@given(st.lists(st.none() | st.floats(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER), min_size=1, max_size=5))
def test_numbers_become_what_canonical_rows_hold(values: list[float | None]) -> None:
    found = [parse_json_value(column("number"), json.loads(json.dumps(v))) for v in values]
    expected = parse_column(pd.Series(values, dtype="float64"), "number")
    assert np.array_equal(pd.Series(found, dtype="float64").to_numpy(), expected.to_numpy(), equal_nan=True)


@given(
    st.lists(st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=8), min_size=1, max_size=5)
)
def test_words_become_what_canonical_rows_hold(values: list[Any]) -> None:
    found = pd.Series([parse_json_value(column("category"), v) for v in values], dtype=object)
    expected = parse_column(pd.Series(values, dtype=object), "category")
    assert parse_column(found, "category").to_list() == expected.to_list()


@given(
    st.datetimes(
        min_value=pd.Timestamp("1700-01-01").to_pydatetime(), max_value=pd.Timestamp("2200-01-01").to_pydatetime()
    )
)
def test_dates_become_what_canonical_rows_hold(moment: Any) -> None:
    found = parse_column(pd.Series([parse_json_value(column("date"), moment.isoformat())], dtype=object), "date")
    assert found.iloc[0] == pd.Timestamp(moment)


@pytest.mark.parametrize("name", ["label", "group", "row_id", "key", "origin", "when", "text", "age", "a_b"])
def test_a_raw_name_is_found_again(name: str) -> None:
    assert original_name(internal_name(name)) == name


EMPTY = "; null where it is missing"


@pytest.mark.parametrize(
    ("about", "says", "example"),
    [
        (column("number", low=0.5, high=0.5000001), f"number; training saw 0.5 to 0.5{EMPTY}", 0.5),
        (column("number", low=0.0, high=1.0), f"number; training saw 0 to 1{EMPTY}", 0.0),
        (column("number"), "number; null where it is missing", 0.0),
        (column("date"), "date; null where it is missing", "2024-01-31"),
        (column("date", low=0.0, high=86400.0), f"date; training saw 1970-01-01 to 1970-01-02{EMPTY}", "1970-01-01"),
        (column("category"), "category; null where it is missing", "…"),
        (
            column("category", categories=[f"c{i:02}" for i in range(30)]),
            "category; training saw "
            + ", ".join(f"c{i:02}" for i in range(20))
            + " and 10 more; null where it is missing",
            "c00",
        ),
        (
            Column(name="text", kind="text", nullable=False, low=20, high=40),
            "text; training saw 20 to 40 characters",
            "A text to judge. A text to judge. ",
        ),
    ],
)
def test_a_column_is_described(about: Column, says: str, example: Any) -> None:
    assert (describe_column(about), example_of(about)) == (says, example)


def test_a_table_of_requests_is_the_table_of_rows(tabular: Case) -> None:
    _, predictor, rows, bodies = tabular
    schema = predictor.info.schema_
    model = row_model(predictor.info)
    made = schema.select(requests_table([model.model_validate(body) for body in bodies], schema))
    pd.testing.assert_frame_equal(made, schema.select(rows))


def test_the_model_to_serve_is_named_by_the_environment(tabular: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENCE_MODEL", "table:latest")
    assert str(served_model().tag) == "table:1"
    monkeypatch.setenv("CREDENCE_MODEL", "tabel:1")
    with pytest.raises(InputError, match=r"no model 'tabel:1' in BentoML's store\. Did you mean 'table'\?"):
        served_model()
    monkeypatch.delenv("CREDENCE_MODEL")
    with pytest.raises(BentoMLException, match="CREDENCE_MODEL is not set; expected the tag of a stored model"):
        _ = bentos.service.Credence
    with pytest.raises(AttributeError, match="Credance"):
        _ = bentos.service.Credance


def test_a_hidden_module_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with absent("colorsys"), pytest.raises(ImportError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").rgb_to_hsv
    with absent("json"):
        assert importlib.import_module("json") is json


def test_torch_is_there_for_a_kind_that_imports_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.json").write_text('{"kind": "logistic"}')
    before = list(sys.meta_path)
    with lazy_torch(tmp_path):
        assert len(sys.meta_path) == len(before) + 1
    monkeypatch.setattr("bentos.runtime.lazy_torch.third_party", lambda modules: {"numpy", "torch"})
    with lazy_torch(tmp_path):
        assert sys.meta_path == before


SERVE_IN_A_FRESH_PROCESS = """
import sys, json
from starlette.testclient import TestClient
from bentos.service import Credence
with TestClient(Credence.to_asgi()) as http:
    answer = http.post("/predict", json=json.loads(sys.argv[1]))
    assert answer.status_code == 200, answer.text
print(json.dumps([m for m in sys.modules if m.split(".")[0] in sys.argv[2:]]))
"""


def test_serving_imports_nothing_that_it_does_not_need(tabular: Case, tmp_path: Path) -> None:
    never = [
        "torch",
        "transformers",
        "pyro",
        "zenml",
        "mlflow",
        "evidently",
        "optuna",
        "shap",
        "matplotlib",
        "openai",
        "anthropic",
    ]
    command = [sys.executable, "-c", SERVE_IN_A_FRESH_PROCESS, json.dumps(tabular[3][0]), *never]
    env = {**os.environ, "CREDENCE_MODEL": "table:1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.strip().splitlines()[-1]) == []


def test_a_predictor_that_cannot_answer_is_never_ready(tmp_path: Path) -> None:
    folder = kept(trained(small("logistic"), "broken")[0], tmp_path / "predictor")
    (folder / "model" / "model.json").write_text('{"kind": "logistik"}')
    seal(folder)
    with pytest.raises(InputError, match="logistic"), client(folder, "broken"):
        pytest.fail("the server became ready")
