"""Three lines of Python train, show and answer; bad input gets the sentences of the command line."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from credence import load
from credence.core.errors import InputError
from credence.data.rows import internal_name
from credence.statistics.uncertainty import sigmoid
from credence.training_run import TrainingRun, train

QUICK = [{"kind": "logistic", "folds": 2}, {"kind": "bagging", "folds": 2}]
SENTENCES = ("win a free prize now and call", "see you at home after work today")


def customers(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Rows of a number, a column with a reserved name, a colour and a region that decide the answer."""
    rng = np.random.default_rng(seed)
    size, key = rng.standard_normal((2, n))
    colour, region = rng.choice(["red", "green"], n), rng.choice(["north", "south", "west"], n)
    yes = rng.random(n) < sigmoid(2.5 * size - key + 2 * (colour == "red"))
    columns = {"size": np.round(100 * size), "key": np.round(100 * key), "colour": colour, "region": region}
    return pd.DataFrame({**columns, "churn": np.where(yes, "yes", "no")}, index=rng.permutation(n) // 2)


def messages(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    spam = rng.random(n) < 0.4
    texts = [f"{SENTENCES[0 if s ^ (rng.random() < 0.05) else 1]} {rng.integers(10**6)}" for s in spam]
    return pd.DataFrame({"message": texts, "kind": np.where(spam, "spam", "ham")})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return customers()


@pytest.fixture(scope="module")
def run(table: pd.DataFrame) -> TrainingRun:
    return train(table, label="churn", group="region", models=QUICK, progress=False)


@pytest.fixture(scope="module")
def text_run() -> TrainingRun:
    return train(messages(), label="kind", models=["tfidf"], progress=False)


def test_a_run_shows_its_verdict_its_candidates_and_its_calibration(run: TrainingRun) -> None:
    page = run._repr_html_()
    assert "Good enough to use" in page
    assert run.verdict.outcome == "promote"
    assert {"logistic", "bagging", "share of yes"} == set(run.leaderboard().index)
    assert all(name in page for name in run.leaderboard().index)
    assert "<svg" in page
    assert 'aria-label="reliability diagram' in page
    assert "<html" not in page
    assert run.task.question in repr(run)


def test_styles_of_the_notebook_view_touch_nothing_outside_it(run: TrainingRun) -> None:
    sheet = run._repr_html_().partition("<style>")[2].partition("</style>")[0]
    selectors = [line.split("{")[0] for line in sheet.strip().splitlines()]
    assert all(".credence-run" in part for selector in selectors for part in selector.split(","))


def test_the_leaderboard_holds_numbers_within_their_intervals(run: TrainingRun) -> None:
    board = run.leaderboard()
    for metric in ("accuracy", "log_loss", "auroc", "ece"):
        assert (board[f"{metric}_low"] <= board[metric]).all()
        assert (board[metric] <= board[f"{metric}_high"]).all()
    assert board["role"].tolist().count("winner") == 1
    assert board.loc[board["role"] == "winner"].index[0] == run.predictor.model.display_name()


def test_the_callers_frame_stays_as_it_is() -> None:
    frame = customers(200).astype({"colour": "category", "region": "string"})
    before = frame.copy(deep=True)
    found = train(frame, "churn", models=QUICK[:1], progress=False)
    found.predictor.predict(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_saved_run_loads_and_answers_the_same(run: TrainingRun, table: pd.DataFrame, tmp_path: Path) -> None:
    place = run.save(tmp_path / "new" / "churn")
    pd.testing.assert_frame_equal(load(place).predict(table), run.predictor.predict(table), check_exact=True)
    assert (place / "report.html").read_text() == run.report()
    assert run.task.question in (place / "card.md").read_text()
    run.save(place)
    assert load(str(place)).digest() == run.predictor.digest()


def test_a_run_is_not_saved_over_something_else(run: TrainingRun, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no predictor"):
        run.save(tmp_path)
    with pytest.raises(InputError, match="holds no predictor"):
        load(tmp_path / "absent")


def test_raw_rows_get_the_answers_of_canonical_rows(run: TrainingRun, table: pd.DataFrame) -> None:
    """A raw frame has the names of the table; canonical rows call `key` otherwise and hold the group."""
    canonical = run.task.rows(table.reset_index(drop=True))
    assert internal_name("key") in canonical
    raw = run.predictor.predict(table)
    assert raw.index.equals(table.index)
    pd.testing.assert_frame_equal(
        raw.reset_index(drop=True), run.predictor.predict(canonical).reset_index(drop=True), check_exact=True
    )


@pytest.mark.parametrize(
    "typed",
    [
        lambda f: f.astype({"colour": "category", "region": "category"}),
        lambda f: f.astype({"colour": "string", "size": "Float64"}),
        lambda f: f.astype({"size": str, "key": object}),
        lambda f: f[["region", "key", "colour", "size"]],
        lambda f: f.assign(other=1, churn=None),
    ],
)
def test_answers_do_not_depend_on_how_a_small_frame_is_typed(run: TrainingRun, table: pd.DataFrame, typed: Any) -> None:
    few = table.head(3)
    pd.testing.assert_frame_equal(run.predictor.predict(typed(few)), run.predictor.predict(few), check_exact=True)


def test_rows_answered_alone_and_together_get_the_same_answers(run: TrainingRun, table: pd.DataFrame) -> None:
    together = run.predictor.predict(table.head(20))["probability"]
    alone = pd.concat([run.predictor.predict(table.iloc[[i]])["probability"] for i in range(20)])
    np.testing.assert_allclose(alone, together, atol=1e-9)


def test_texts_are_read_from_the_column_that_training_read(text_run: TrainingRun, tmp_path: Path) -> None:
    new = pd.DataFrame({"message": [*SENTENCES, None]})
    answers = text_run.predictor.predict(new)
    assert answers["label"].tolist()[:2] == ["spam", "ham"]
    renamed = text_run.predictor.predict(new.rename(columns={"message": "text"}).fillna(""))
    np.testing.assert_array_equal(renamed["probability"], answers["probability"])
    again = load(text_run.save(tmp_path / "sms"))
    assert again.info.text == "message"
    pd.testing.assert_frame_equal(again.predict(new), answers, check_exact=True)


def test_a_path_gives_what_the_frame_gives(run: TrainingRun, table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "customers.csv", index=False)
    found = train(tmp_path / "customers.csv", "churn", group="region", models=QUICK, progress=False)
    assert found.task.name == "customers"
    np.testing.assert_allclose(
        found.predictor.predict(table)["probability"], run.predictor.predict(table)["probability"], atol=1e-9
    )


def test_settings_are_keys_of_the_task(table: pd.DataFrame) -> None:
    settings = {"calibration.alpha": 0.2, "split.key": "seller"}
    sold, aim = table.assign(seller=np.arange(len(table)) % 80), {"metric": "auroc", "minimum": 0.99}
    found = train(sold, "churn", models="logistic", **aim, seed=7, settings=settings, progress=False)
    assert (found.task.gate.metric, found.task.gate.minimum, found.verdict.outcome) == ("auroc", 0.99, "keep")
    assert found.predictor.info.conformal.alpha == 0.2
    assert found.predictor.model.seed == 7
    assert "seller" not in found.predictor.info.schema_.names()
    parts = found.experiment.train, found.experiment.test
    assert not set(parts[0]["key"]) & set(parts[1]["key"])


def test_several_values_may_mean_yes(table: pd.DataFrame) -> None:
    stages = table.assign(churn=np.where(table["churn"] == "yes", np.arange(len(table)) % 2 + 1, 0))
    found = train(stages, "churn", positive=[1, 2], models=QUICK[:1], progress=False)
    assert found.experiment.test["label"].isin([0, 1]).all()
    assert set(found.task.columns.positive) == {1, 2}


BAD: list[tuple[str, Any, dict[str, Any], str]] = [
    ("no label", customers(50), {"label": "chrun"}, "label=chrun: no such column. Did you mean 'churn'?"),
    ("one class", customers(50).assign(churn="yes"), {}, "holds only 'yes' (50); a question needs rows of both"),
    (
        "many values",
        customers(60).assign(churn=np.arange(60) % 3),
        {},
        "label column 'churn' holds 3 values: '0' (20), '1' (20), '2' (20); say which of them mean yes, "
        'such as positive="1,2".',
    ),
    (
        "twice",
        pd.concat([customers(50), customers(50)[["size"]]], axis=1),
        {},
        "column 'size' is in the header twice; give every column its own name.",
    ),
    ("series", customers(50)["churn"], {}, "data is a Series; expected a pandas DataFrame with the label"),
    ("no path", "no_such_folder_here/x.csv", {}, "there is no folder no_such_folder_here"),
    ("no rows", customers(50).head(0), {}, "the data has a header but no rows."),
    ("text", customers(50), {"text": "colur"}, "text=colur: no such column. Did you mean 'colour'?"),
    ("kind", customers(50), {"models": ["logstic"]}, "no model of kind 'logstic'. Did you mean 'logistic'?"),
    ("wrong kind", customers(50), {"models": ["tfidf"]}, "'tfidf' reads text, but the input is columns"),
    ("positive", customers(50), {"positive": "Maybe"}, "positive=Maybe: the label column never holds that."),
    ("metric", customers(50), {"metric": "acuracy"}, "gate.metric: input should be 'accuracy'"),
    ("setting", customers(50), {"settings": {"gate.metrik": 1}}, "gate.metrik: no such key. Did you mean 'metric'?"),
    ("infinite", customers(50).assign(size=[np.inf, *range(49)]), {}, "column 'size', row 1: infinite"),
    ("few rows", customers(6), {}, "part"),
]


@pytest.mark.parametrize(("data", "given", "sentence"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_gets_one_sentence(data: Any, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        train(data, **{"label": "churn", "progress": False, "models": QUICK, **given})
    assert sentence in str(refused.value)
    assert "--" not in str(refused.value)


def test_a_path_that_is_not_there_names_the_nearest_file(tmp_path: Path) -> None:
    customers(50).to_csv(tmp_path / "customers.csv")
    with pytest.raises(InputError, match=r"no such file. Did you mean '.*customers.csv'\?"):
        train(tmp_path / "costumers.csv", "churn")


def test_prediction_refuses_what_is_no_frame_and_lacks_a_column(run: TrainingRun, table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="the rows are a Series; expected a pandas DataFrame"):
        run.predictor.predict(table["size"])
    with pytest.raises(InputError, match=r"column 'key' is missing. Did you mean"):
        run.predictor.predict(table.rename(columns={"key": "keys"}))
    with pytest.raises(InputError, match="is in the header twice"):
        run.predictor.predict(pd.concat([table, table[["size"]]], axis=1))


def test_notes_name_arguments_of_python(table: pd.DataFrame) -> None:
    found = train(table.assign(row=range(len(table))), "churn", models=QUICK[:1], progress=False)
    assert any("positive='no' reverses it" in note for note in found.notes)
    assert not any("--" in note for note in found.notes)


def test_columns_may_be_named_by_numbers(table: pd.DataFrame) -> None:
    frame = table.set_axis(range(table.shape[1]), axis=1)
    found = train(frame, label=4, group=3, models=QUICK[:1], progress=False)
    assert found.predictor.info.schema_.group == "3"
    answers = found.predictor.predict(frame.head(3))
    assert answers["probability"].between(0, 1).all()


def test_the_page_for_notebooks_runs(table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of Python as written, but for the candidates of the first one, which is a quick one here."""
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "use-in-a-notebook.md").read_text()
    df = table.assign(customer=np.arange(len(table)) // 2)
    X, y = table.drop(columns="churn"), table["churn"]
    names: dict[str, Any] = {"df": df, "new_df": df.head(3), "X": X, "y": y}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block.replace('train(df, label="churn")', 'train(df, label="churn", models="logistic")'), names)
    assert len(names["answers"]) == 3
    assert set(names["run"].leaderboard().index) == {"logistic", "lightgbm", "share of yes"}
