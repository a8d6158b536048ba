"""Frozen sentence vectors under a logistic regression: computed once, kept with the encoder."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from credence.core.errors import InputError
from credence.model import Model
from credence.models.kinds import embeddings
from credence.models.kinds.embeddings import STRENGTHS, Embeddings
from credence.models.pretrained.sentence_encoder import SentenceEncoder
from credence.statistics.calibration import log_loss
from credence.statistics.cross_validation import stratified_folds
from tests.credence.models.kinds.test_transformer import reviews
from tests.support.pretrained_cases import saved, tiny


def model(**changed: Any) -> Embeddings:
    return Embeddings(**{"checkpoint": tiny(), "folds": 3, "longest": 16, **changed})


@cache
def fitted() -> Embeddings:
    learned = model().fit(*reviews())
    assert isinstance(learned, Embeddings)
    return learned


def test_learns_which_words_tell_although_the_encoder_is_left_as_it_is() -> None:
    X, y = reviews(seed=7)
    assert ((fitted().draws(X).mean(0) > 0.5) == y).mean() > 0.95
    origin = SentenceEncoder(embeddings.load_checkpoint(tiny(), 16).encoder, 0).state_dict()
    learned = fitted()._encoder.state_dict()
    assert all(torch.equal(origin[name], learned[name]) for name in origin)


def test_each_fold_is_a_draw_that_has_not_seen_its_held_out_rows() -> None:
    X, y = reviews()
    Z = fitted()._vectors(X)
    for draw, (train, held) in zip(fitted().draws(X), stratified_folds(y, 3, 0), strict=True):
        best = min(
            (LogisticRegression(C=C, max_iter=1000).fit(Z[train], y[train]) for C in STRENGTHS),
            key=lambda m: np.abs(m.predict_proba(Z)[:, 1] - draw).max(),
        )
        np.testing.assert_allclose(best.predict_proba(Z)[:, 1], draw, atol=1e-4)
        unseen = fitted().out_of_fold()
        assert unseen is not None
        np.testing.assert_allclose(unseen[held], draw[held], atol=1e-6)


def test_the_penalty_is_the_one_with_the_lowest_loss_on_held_out_rows() -> None:
    rng = np.random.default_rng(0)
    X, y = reviews()
    y = np.where(rng.random(len(y)) < 0.3, 1 - y, y)
    losses = {}
    for C in STRENGTHS:
        unseen = model(C=C).fit(X, y).out_of_fold()
        assert unseen is not None
        losses[C] = log_loss(unseen, y)
    chosen = model().fit(X, y).out_of_fold()
    assert chosen is not None
    assert log_loss(chosen, y) == pytest.approx(min(losses.values()))
    assert max(losses.values()) > min(losses.values())


def test_one_fold_is_one_draw_with_the_usual_penalty() -> None:
    X, _ = reviews(20, seed=7)
    single = model(folds=1).fit(*reviews())
    assert single.draws(X).shape == (1, 20)
    assert single.out_of_fold() is None
    np.testing.assert_array_equal(
        single.draws(X), model(folds=1, C=embeddings.DEFAULT_STRENGTH).fit(*reviews()).draws(X)
    )


def test_every_text_is_read_once_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    forward = SentenceEncoder.forward

    def counting(self: SentenceEncoder, batch: Any) -> Any:
        read.extend(batch.ids)
        return forward(self, batch)

    monkeypatch.setattr(SentenceEncoder, "forward", counting)
    X, y = reviews(50)
    model(batch_rows=7).fit(X, y)
    assert sorted(map(int, read)) == list(range(50))


def test_rows_of_like_length_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = reviews(60)
    X["text"] = [t + " plot" * (i % 10) for i, t in enumerate(X["text"])]
    cells = []
    forward = SentenceEncoder.forward

    def measuring(self: SentenceEncoder, batch: Any) -> Any:
        cells.append((batch["pieces"].numel(), int(batch.lengths["pieces"].sum())))
        return forward(self, batch)

    monkeypatch.setattr(SentenceEncoder, "forward", measuring)
    model(batch_rows=6, longest=32).fit(X, y)
    padded, real = np.array(cells).sum(0)
    assert padded < 1.05 * real


def test_the_folder_is_all_that_answering_needs(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "checkpoint", "roberta", seed=4)
    learned = model(checkpoint=str(checkpoint)).fit(*reviews(60))
    (tmp_path / "saved").mkdir()
    learned.save(tmp_path / "saved")
    shutil.rmtree(checkpoint)
    assert len({f.stat().st_mode for f in (tmp_path / "saved").iterdir()}) == 1, "who reads one file reads all"
    X, _ = reviews(30, seed=7)
    dice = torch.get_rng_state()
    Model.load(tmp_path / "saved")
    assert torch.equal(dice, torch.get_rng_state())
    np.testing.assert_array_equal(Model.load(tmp_path / "saved").draws(X), learned.draws(X))
    assert {f.name for f in (tmp_path / "saved").iterdir()} == {
        "model.json",
        "reader.json",
        "encoder.safetensors",
        "regression.npz",
    }


def test_the_order_and_company_of_rows_move_an_answer_by_rounding_only() -> None:
    X, _ = reviews(40, seed=7)
    together = fitted().draws(X)
    for i in range(0, 40, 13):
        np.testing.assert_allclose(
            fitted().draws(X.iloc[[i]])[:, 0], together[:, i], atol=fitted().batch_tolerance, rtol=0
        )


def test_refuses_one_answer_and_a_penalty_that_is_none() -> None:
    X, _ = reviews(10)
    with pytest.raises(InputError, match="all 10 training rows have the same answer"):
        model().fit(X, np.ones(10, dtype=int))
    with pytest.raises(ValueError, match="greater than 0"):
        model(C=0)
    with pytest.raises(InputError, match="longest: 300 is more than the 256 pieces"):
        model(longest=300).fit(*reviews(20))
