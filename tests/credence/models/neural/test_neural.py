"""What torch kinds share: reading rows, held dropout, early stopping, checkpoints, and the kinds that wrap others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from credence.core.errors import InputError
from credence.core.registry import ModelSpec, load_kind
from credence.data.novelty.text_features import split_words
from credence.model import Model
from credence.models.bayes.text_features import _words
from credence.models.neural import TorchModel
from credence.models.neural.dropout import MaskedDropout, dropout_layers, fixed_dropout_masks
from credence.models.neural.row_encoder import PADDING, UNKNOWN, Vocabulary, tokenize
from credence.models.transformer.text_tokens import TextTokenizer
from tests.support.transformer_cases import sums

SMALL: dict[str, Any] = {"epochs": 3, "width": 8, "passes": 20, "learning_rate": 1e-2}


def bilstm(**parameters: Any) -> TorchModel:
    model: TorchModel = ModelSpec(kind="bilstm", **{**SMALL, **parameters}).build()
    return model


def told(n: int, seed: int = 0) -> tuple[pd.DataFrame, Any]:
    """The answer is which of two words comes first: no bag of words can tell."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    pairs = [("red blue" if answer else "blue red") for answer in y]
    filler = rng.choice(["the", "a", "then", "so"], (n, 2))
    return pd.DataFrame({"text": [f"{f[0]} {pair} {f[1]}" for f, pair in zip(filler, pairs, strict=True)]}), y


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Don't STOP", ["don't", "stop"]),
        ("12 + 3 = 15", ["1", "2", "+", "3", "=", "1", "5"]),
        ("<b>good</b>&amp;bad", ["good", "&", "bad"]),
        ("😀\x00 Zürich_7", ["😀", "\x00", "zürich", "_", "7"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected


def test_characters_of_scripts_without_spaces_are_tokens() -> None:
    assert tokenize("电影很好, 8 of 10") == [*"电影很好", ",", "8", "of", "1", "0"]
    assert tokenize("映画never映画") == [*"映画", "never", *"映画"]
    assert _words("电影很好 never") == {*"电影很好", "never"}
    assert split_words("电影很好 don't 오늘은") == [*"电影很好", "don't", "오늘은"]


def test_a_vocabulary_keeps_what_is_frequent_and_every_sign() -> None:
    found = Vocabulary.learn([["film", "film", "good"], ["film", "bad", "?"], ["film", "good"]], most=3)
    assert found.words == ("film", "good", "?")
    assert found.ids(["film", "?", "bad"]) == [2, 4, UNKNOWN]
    assert PADDING not in found.ids(["", "x", "film"])
    assert len(found) == 5


def test_a_vocabulary_counts_texts_not_words() -> None:
    assert Vocabulary.learn([["spam", "spam"], ["egg"], ["egg"]], most=9).words == ("egg",)


def texts(X: pd.DataFrame, longest: int = 9) -> TextTokenizer:
    return TextTokenizer.learn(X, 10, longest, fone=False, relations=False)


def test_reading_is_cut_at_the_longest() -> None:
    X = pd.DataFrame({"text": ["a b c d e " * 20_000, "", "zzz qqq"]})
    read = texts(X, longest=7).columns(X)["words"]
    assert [len(row) for row in read] == [7, 0, 2]
    assert read[2].tolist() == [UNKNOWN, UNKNOWN]


def test_another_vocabulary_is_another_digest() -> None:
    one, other = (texts(pd.DataFrame({"text": [t, t]})) for t in ("red", "blue"))
    assert one.digest() != other.digest()
    assert one.digest() == TextTokenizer.model_validate_json(one.model_dump_json()).digest()


def test_held_masks_are_the_same_for_every_row_and_unbiased() -> None:
    drop = MaskedDropout(0.4, 1000)
    x = torch.ones(3, 1000)
    with fixed_dropout_masks([drop], 200, 1):
        out = drop(x)
    assert out.shape == (200, 3, 1000)
    assert torch.equal(out[:, 0], out[:, 2])
    torch.testing.assert_close(out.unique(), torch.tensor([0, 1 / 0.6]))
    assert out.mean().item() == pytest.approx(1, abs=0.01)
    assert drop.eval()(x) is x or torch.equal(drop(x), x)


def test_masks_follow_from_the_numbers_they_are_drawn_by() -> None:
    drop = MaskedDropout(0.5, 64)
    masks = []
    for place in (1, 1, 2):
        with fixed_dropout_masks([drop], 8, place):
            assert drop.held is not None
            masks.append(drop.held.clone())
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


def test_a_recurrent_network_reads_order() -> None:
    X, y = told(400)
    model = bilstm(epochs=12, batch_rows=32).fit(X, y)
    fresh, answers = told(200, seed=1)
    assert ((model.draws(fresh).mean(0) > 0.5) == answers).mean() > 0.95


@pytest.mark.parametrize("numbers", [{"relations": True}, {"relations": True, "fone": True}])
def test_a_recurrent_network_reads_relations_between_numbers_where_it_is_given_them(numbers: dict[str, bool]) -> None:
    fresh, answers = sums(200, 1)
    right = [
        ((bilstm(epochs=8, batch_rows=32, **given).fit(*sums(400, 0)).draws(fresh).mean(0) > 0.5) == answers).mean()
        for given in ({}, numbers)
    ]
    assert right[0] < 0.7 and right[1] > 0.95


def test_the_text_is_read_once_for_all_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = told(60)
    model = bilstm().fit(X, y)
    read: list[int] = []
    encode = model._module.encode
    monkeypatch.setattr(model._module, "encode", lambda batch: read.append(len(batch)) or encode(batch))
    assert model.draws(X).shape == (20, 60) and sum(read) == 60
    read.clear()
    whole = bilstm(full=True)
    whole._module, whole._reader, whole._fitted = model._module, model._reader, True
    assert whole.draws(X).shape == (20, 60) and sum(read) == 20 * 60


def test_passes_differ_and_full_passes_differ_more_places() -> None:
    X, y = told(60)
    model = bilstm(dropout=0.5).fit(X, y)
    assert model.draws(X).std(0).min() > 0
    assert len(dropout_layers(model._module)) == 2 and len(dropout_layers(model._module.head)) == 1


def test_without_passes_there_is_one_draw() -> None:
    X, y = told(60)
    assert bilstm(passes=0).fit(X, y).draws(X).shape == (1, 60)


def test_rows_that_decide_when_to_stop_teach_nothing() -> None:
    _, y = told(200)
    learn, stop = bilstm(held_out=0.2)._split(y)
    assert not set(learn) & set(stop) and len(learn) + len(stop) == 200
    assert abs(y[stop].mean() - y.mean()) < 0.03


@pytest.mark.parametrize("y", [[0, 1], [0, 0, 0, 1]])
def test_one_row_of_an_answer_is_enough_to_learn(y: list[int]) -> None:
    X = pd.DataFrame({"text": ["good", "bad", "fine", "poor"][: len(y)]})
    assert np.isfinite(bilstm(epochs=1).fit(X, np.array(y)).draws(X)).all()


def test_one_answer_is_refused() -> None:
    with pytest.raises(InputError, match="same answer"):
        bilstm().fit(pd.DataFrame({"text": ["a", "b"]}), np.array([1, 1]))


@pytest.mark.parametrize("text", ["", "\x00", "😀😀😀", "unheard of words", "word " * 100_000])
def test_odd_texts_get_an_answer(text: str) -> None:
    X, y = told(60)
    draws = bilstm(epochs=1, longest=50).fit(X, y).draws(pd.DataFrame({"text": [text, "red blue"]}))
    assert np.isfinite(draws).all() and ((draws >= 0) & (draws <= 1)).all()


def test_a_learning_rate_that_is_too_large_is_named(tmp_path: Path) -> None:
    X, y = told(60)
    with pytest.raises(InputError, match="learning_rate"):
        bilstm(learning_rate=1e38)
    with pytest.raises(InputError, match="not a finite number, for the rows"):
        bilstm(learning_rate=1e6, clip=None, warmup=0, epochs=50, weight_decay=1e30).with_checkpoints(tmp_path).fit(
            X, y
        )


def test_checkpoints_stay_until_the_run_has_ended(tmp_path: Path) -> None:
    X, y = told(100)
    told_epochs: list[tuple[int, dict[str, float]]] = []

    class Killed(Exception):
        pass

    def watch(epoch: int, figures: dict[str, float]) -> None:
        told_epochs.append((epoch, figures))
        if epoch == 2 and len(told_epochs) == 2:
            raise Killed

    whole = bilstm(epochs=4).fit(X, y).draws(X)
    model = bilstm(epochs=4, checkpoint_seconds=0).with_checkpoints(tmp_path, watch)
    with pytest.raises(Killed):
        model.fit(X, y)
    folder = next(tmp_path.iterdir())
    assert list((folder / "training").glob("*.safetensors"))
    again = bilstm(epochs=4, checkpoint_seconds=0).with_checkpoints(tmp_path, watch).fit(X, y)
    np.testing.assert_array_equal(again.draws(X), whole)
    assert [epoch for epoch, _ in told_epochs] == [1, 2, 2, 3, 4]
    assert {"loss", "held_out", "learning_rate"} <= set(told_epochs[0][1])
    assert next(tmp_path.iterdir()) == folder and not (folder / "training").exists()
    assert list((folder / "production").glob("*.safetensors"))


def test_other_parameters_or_rows_learn_in_a_folder_of_their_own(tmp_path: Path) -> None:
    X, y = told(60)
    bilstm(epochs=1).with_checkpoints(tmp_path).fit(X, y)
    bilstm(epochs=1, dropout=0.1).with_checkpoints(tmp_path).fit(X, y)
    bilstm(epochs=1).with_checkpoints(tmp_path).fit(X.iloc[:50], y[:50])
    assert len(list(tmp_path.iterdir())) == 3


def test_learning_curves_survive_saving(tmp_path: Path) -> None:
    X, y = told(100)
    model = bilstm().fit(X, y)
    model.save(tmp_path)
    curves = Model.load(tmp_path).training_record().curves
    assert curves == model.training_record().curves and len(curves["loss"]) == len(curves["held-out log-loss"]) == 3


def test_mc_dropout_asks_the_passes_of_the_kind_it_wraps() -> None:
    X, y = told(60)
    plain = bilstm(passes=0, seed=3).fit(X, y)
    wrapped: Model = ModelSpec(
        kind="mc_dropout", passes=7, seed=3, model={"kind": "bilstm", **SMALL, "passes": 0}
    ).build()
    draws = wrapped.fit(X, y).draws(X)
    assert draws.shape == (7, 60)
    np.testing.assert_array_equal(draws, plain.sampled(X, 7))
    assert wrapped.training_record().curves == plain.training_record().curves


def test_mc_dropout_refuses_what_has_no_dropout() -> None:
    with pytest.raises(InputError, match=r"which has no dropout; choose one of .*bilstm"):
        ModelSpec(kind="mc_dropout", model={"kind": "tfidf"}).build()
    X, y = told(60)
    with pytest.raises(InputError, match="dropout: 0"):
        ModelSpec(kind="mc_dropout", model={"kind": "bilstm", **SMALL, "dropout": 0.0}).build().fit(X, y)
    with pytest.raises(InputError, match="drops no features"):
        bilstm(epochs=1, dropout=0.0).fit(X, y).sampled(X, 3)


def test_an_ensemble_has_a_draw_for_every_member() -> None:
    X, y = told(60)
    together: Model = ModelSpec(kind="ensemble", members=3, seed=2, model={"kind": "bilstm", **SMALL}).build().fit(X, y)
    draws = together.draws(X)
    assert draws.shape == (3, 60)
    np.testing.assert_array_equal(draws[1], bilstm(seed=2001).fit(X, y).draws(X).mean(0))
    assert np.ptp(draws, axis=0).min() > 0
    assert together.display_name() == "ensemble of bilstm"


def test_an_ensemble_takes_columns_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=80)})
    model = ModelSpec(kind="ensemble", members=2, model={"kind": "logistic", "folds": 1}).build()
    model.fit(X, (X["size"] > 0).to_numpy().astype(int)).save(tmp_path)
    assert Model.load(tmp_path).draws(X).shape == (2, 80)
    assert json.loads((tmp_path / "member-1" / "model.json").read_text())["parameters"]["seed"] == 1


@pytest.mark.parametrize("asked", [{"search": {"trials": 2}}, {"prequential": True}])
def test_what_a_candidate_is_asked_for_is_not_for_the_model_inside_it(asked: dict[str, Any]) -> None:
    X, y = told(20)
    with pytest.raises(InputError, match="neither search nor prequential: give those to mc_dropout itself"):
        ModelSpec(kind="mc_dropout", model={"kind": "bilstm", **asked}).build()
    with pytest.raises(InputError, match="neither search, prequential nor seed"):
        load_kind("models", "ensemble")(model={"kind": "bilstm", **asked}).fit(X, y)


def test_an_ensemble_deals_the_seeds_itself() -> None:
    X, y = told(20)
    with pytest.raises(InputError, match="neither search, prequential nor seed"):
        load_kind("models", "ensemble")(model={"kind": "bilstm", "seed": 1}).fit(X, y)
    with pytest.raises(InputError, match="'bilstm' reads text"):
        ModelSpec(kind="ensemble", model={"kind": "bilstm"}).build().fit(
            pd.DataFrame({"size": [1.0, 2.0]}), np.array([0, 1])
        )
