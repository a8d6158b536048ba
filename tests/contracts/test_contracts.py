"""What every model kind owes to the rest of the house, found by file: add a kind and it is asked the same."""

import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from safetensors.torch import load_file

from credence.core.errors import InputError
from credence.core.registry import ModelSpec, available_kinds, load_kind
from credence.model import Model, NotFitted
from tests.support.small_kinds import small

ROWS = 120
NOT_ON_ITS_OWN = "has parameters without a default"
KINDS = [
    pytest.param(
        kind,
        marks=pytest.mark.skipif(
            any(f.is_required() for f in load_kind("models", kind).model_fields.values()), reason=NOT_ON_ITS_OWN
        ),
    )
    for kind in available_kinds("models")
]
every_kind = pytest.mark.parametrize("kind", KINDS)
READS_COLUMNS = [kind for kind in available_kinds("models") if load_kind("models", kind).reads != "text"]
every_kind_with_columns = pytest.mark.parametrize("kind", READS_COLUMNS)


def columns(n: int, seed: int) -> tuple[pd.DataFrame, Any]:
    """Rows of every type with every kind of hole, and answers that depend on some of them."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(size=n), rng.choice(np.array(["red", "blue", "green", None], dtype=object), n)
    X = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "income": np.exp(rng.normal(9, 1.5, n)),
            "constant": np.ones(n),
            "colour": colour,
            "town": rng.choice([f"town {i}" for i in range(40)], n).astype(object),
            "since": pd.Timestamp("2019-03-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "group": rng.choice(["north", "south"], n).astype(object),
        }
    )
    X.loc[X.index[:3], "since"] = pd.NaT
    odds = 2.5 * size + np.where(colour == "red", 1.5, -0.5)
    return X, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)


def texts(n: int, seed: int) -> tuple[pd.DataFrame, Any]:
    """Sentences of which one word gives the answer away, an empty one among them."""
    rng = np.random.default_rng(seed)
    y = np.append([0, 1], rng.integers(0, 2, n - 2))
    words = np.array(["plot", "the", "a", "film", "long", "actor", "<br />", "&amp;", "Zürich", "2", "is", "3?"])
    told = [" ".join([*rng.choice(words, 6), ["awful", "splendid"][answer]]) for answer in y]
    return pd.DataFrame({"text": ["", *told[1:]], "group": rng.choice(["x", "y"], n).astype(object)}), y


def rows_for(kind: str, n: int = ROWS, seed: int = 0) -> tuple[pd.DataFrame, Any]:
    return (texts if load_kind("models", kind).reads == "text" else columns)(n, seed)


@cache
def fitted(kind: str) -> Model:
    return small(kind).fit(*rows_for(kind))


def tolerance(kind: str) -> float:
    """Kinds that compute in single precision may round differently in batches of different size."""
    rounding = fitted(kind).batch_tolerance
    return 1e-12 if rounding == 1e-9 else rounding


@every_kind
def test_draws_are_probabilities(kind: str) -> None:
    X, _ = rows_for(kind, seed=1)
    draws = fitted(kind).draws(X)
    assert draws.ndim == 2
    assert draws.shape[1] == len(X)
    assert len(draws) >= 1
    assert draws.dtype == np.float64
    assert ((draws >= 0) & (draws <= 1)).all()


@every_kind
def test_same_seed_same_draws(kind: str) -> None:
    X, _ = rows_for(kind, seed=1)
    again = small(kind).fit(*rows_for(kind)).draws(X)
    np.testing.assert_array_equal(again, fitted(kind).draws(X))
    np.testing.assert_array_equal(again, fitted(kind).draws(X))


@every_kind
def test_draws_survive_saving_bit_for_bit(kind: str, tmp_path: Path) -> None:
    X, _ = rows_for(kind, seed=1)
    model = fitted(kind)
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    np.testing.assert_array_equal(loaded.draws(X), model.draws(X))
    assert loaded.model_dump() == model.model_dump()
    assert loaded.kind() == kind
    assert loaded.fit_seconds == model.fit_seconds


@every_kind
def test_saving_what_was_loaded_loses_nothing(kind: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    fitted(kind).save(first)
    Model.load(first).save(second)
    X, _ = rows_for(kind, seed=1)
    np.testing.assert_array_equal(Model.load(second).draws(X), fitted(kind).draws(X))


@every_kind
def test_nothing_in_the_folder_is_a_pickle(kind: str, tmp_path: Path) -> None:
    fitted(kind).save(tmp_path)
    for file in (f for f in tmp_path.rglob("*") if f.is_file()):
        assert file.suffix not in (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin"), file
        contents = {file.name: file.read_bytes()}
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                contents = {name: archive.read(name) for name in archive.namelist()}
        if file.suffix == ".safetensors":
            load_file(file)
            continue
        for name, content in contents.items():
            assert not content.startswith(b"\x80"), f"{file}: {name} is a pickle"
            assert not (name.endswith(".npy") and b"'|O'" in content[:128]), f"{file}: {name} holds objects"


@every_kind
def test_refuses_to_draw_before_fitting(kind: str) -> None:
    with pytest.raises(NotFitted, match="has not been fitted"):
        small(kind).draws(rows_for(kind)[0])


@every_kind
def test_a_row_alone_gets_the_answer_it_gets_in_a_batch(kind: str) -> None:
    X, _ = rows_for(kind, seed=1)
    batch = fitted(kind).draws(X)
    for i in (0, 1, 17, ROWS - 1):
        np.testing.assert_allclose(fitted(kind).draws(X.iloc[[i]])[:, 0], batch[:, i], atol=tolerance(kind), rtol=0)


@every_kind
def test_the_order_of_rows_does_not_matter(kind: str) -> None:
    X, _ = rows_for(kind, seed=1)
    order = np.random.default_rng(0).permutation(len(X))
    turned = fitted(kind).draws(X.iloc[order])
    np.testing.assert_allclose(turned, fitted(kind).draws(X)[:, order], atol=tolerance(kind), rtol=0)


@every_kind
def test_fitting_leaves_the_rows_as_they_are(kind: str) -> None:
    X, y = rows_for(kind)
    before, answers = X.copy(deep=True), y.copy()
    small(kind).fit(X, y)
    pd.testing.assert_frame_equal(X, before)
    np.testing.assert_array_equal(y, answers)


@every_kind
def test_twenty_rows_are_enough(kind: str) -> None:
    X, y = rows_for(kind, 20)
    assert np.isfinite(small(kind).fit(X, y).draws(X)).all()


@every_kind_with_columns
def test_answers_where_everything_is_missing_or_new(kind: str) -> None:
    X, _ = columns(3, seed=1)
    X["colour"], X["town"], X["constant"] = ["violet", None, "\0"], "Atlantis", [np.nan, 7.0, -1e9]
    X["since"], X["size"], X["income"] = (
        pd.to_datetime(["2071-01-01", None, "1900-02-28"]),
        np.nan,
        [1e12, np.nan, -5.0],
    )
    draws = fitted(kind).draws(X.astype({"town": object}))
    assert np.isfinite(draws).all()


@every_kind_with_columns
def test_learns_from_a_column_that_says_nothing(kind: str) -> None:
    X, y = columns(60, seed=2)
    only = X[["constant", "group"]]
    share = small(kind).fit(only, y).draws(only).mean()
    assert abs(share - y.mean()) < 0.2


@every_kind
def test_a_misspelt_parameter_is_refused_with_a_hint(kind: str) -> None:
    longest = max(load_kind("models", kind).model_fields, key=len)
    with pytest.raises(InputError, match=f"Did you mean '{longest}'"):
        ModelSpec(kind=kind, **{longest + "x": 1}).build()


@every_kind
def test_the_search_space_holds_parameters_and_starts_from_the_defaults(kind: str) -> None:
    model = load_kind("models", kind)
    defaults = {name: field.default for name, field in model.model_fields.items()}
    asked = optuna.trial.FixedTrial(defaults)
    space = model.search_space(asked)
    assert {name: defaults[name] for name in space} == space
    for name, distribution in asked.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(defaults[name])), f"{name} starts outside its range"
    model(**space)


@every_kind
def test_explanations_add_up_to_the_log_odds(kind: str) -> None:
    X, _ = rows_for(kind, seed=1)
    found = fitted(kind).explain(X)
    if found is None:
        return
    draws = np.clip(fitted(kind).draws(X), 1e-7, 1 - 1e-7)
    rest = np.log(draws / (1 - draws)).mean(0) - found.sum(axis=1).to_numpy()
    assert np.ptp(rest) < 1e-5, "what is left after all contributions must be the same for every row"
    assert found.index.equals(X.index)
    assert not set(found.columns) & {"group"}


@every_kind
def test_out_of_fold_answers_come_in_the_order_of_the_rows(kind: str, tmp_path: Path) -> None:
    _X, y = rows_for(kind)
    unseen = fitted(kind).out_of_fold()
    if unseen is None:
        return
    assert unseen.shape == y.shape
    assert ((unseen >= 0) & (unseen <= 1)).all()
    assert unseen[y == 1].mean() > unseen[y == 0].mean()
    fitted(kind).save(tmp_path)
    np.testing.assert_array_equal(Model.load(tmp_path).out_of_fold(), unseen)
