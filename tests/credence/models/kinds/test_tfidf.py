"""Words, pieces of words, and what they tell."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from credence.core.errors import InputError
from credence.data.text import CHAR_NGRAM_PREFIX, count_ngrams, ngrams
from credence.model import Model
from credence.models.kinds import tfidf
from credence.models.kinds.tfidf import TfIdf
from credence.statistics.cross_validation import stratified_folds


def frame(*texts: str) -> pd.DataFrame:
    return pd.DataFrame({"text": list(texts), "group": "all"})


def reviews(n: int = 120, seed: int = 0) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    told = [["dull", "awful", "boring"], ["splendid", "moving", "bright"]]
    filler = ["the", "film", "is", "a", "plot", "long", "actor"]
    return frame(*[" ".join([*rng.choice(filler, 5), rng.choice(told[a])]) for a in y]), y


def test_terms_are_words_pairs_and_marked_pieces() -> None:
    found = ngrams("Not good!", (1, 2), (2, 3))
    assert found[:5] == ["not", "good", "!", "not good", "good !"]
    assert CHAR_NGRAM_PREFIX + " n" in found
    assert CHAR_NGRAM_PREFIX + "ood" in found
    assert CHAR_NGRAM_PREFIX + "t g" not in found


def test_tags_and_entities_are_not_words() -> None:
    assert ngrams("Good<br /><br>film &amp; <b>plot</b>", (1, 1), None) == ["good", "film", "plot"]
    assert ngrams("if a < b and c > d", (1, 1), None) == ["if", "a", "b", "and", "c", "d"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_counts_are_those_of_the_terms(texts: list[str]) -> None:
    vocabulary, matrix = count_ngrams(texts, (1, 2), (2, 4))
    assert matrix.shape == (len(texts), len(vocabulary))
    assert len(set(vocabulary)) == len(vocabulary)
    for i, text in enumerate(texts):
        assert matrix[i].sum() == len(ngrams(text, (1, 2), (2, 4)))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200))
def test_any_text_at_all_is_answered(text: str) -> None:
    p = _fitted().draws(frame(text))
    assert p.shape == (2, 1)
    assert ((p > 0) & (p < 1)).all()


def _fitted(cache: dict[str, TfIdf] = {}) -> TfIdf:  # noqa: B006
    return cache.setdefault("model", TfIdf(folds=2).fit(*reviews()))


def test_learns_which_words_tell() -> None:
    X, y = reviews(seed=5)
    assert roc_auc_score(y, _fitted().draws(X).mean(0)) == 1.0
    assert (
        _fitted().draws(frame("a splendid film"))[:, 0].min() > 0.5 > _fitted().draws(frame("a dull film"))[:, 0].max()
    )


def test_pieces_recognise_words_never_seen() -> None:
    assert _fitted().draws(frame("splendidly"))[:, 0].mean() > _fitted().draws(frame("dullness"))[:, 0].mean() + 0.2


def test_a_text_without_a_known_term_gets_the_intercept() -> None:
    np.testing.assert_array_equal(_fitted().draws(frame("", "☃"))[:, 0], _fitted().draws(frame("", "☃"))[:, 1])


def test_out_of_fold_is_what_serving_says() -> None:
    X, y = reviews()
    model = TfIdf(folds=3).fit(X, y)
    unseen, draws = model.out_of_fold(), model.draws(X)
    assert unseen is not None
    for i, (_, held) in enumerate(stratified_folds(y, 3, 0)):
        np.testing.assert_allclose(unseen[held], draws[i, held], atol=1e-12)


def test_a_fold_learns_nothing_from_its_held_out_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = reviews()
    dealt = stratified_folds(y, 3, 0)
    monkeypatch.setattr(tfidf, "stratified_folds", lambda *_: dealt)
    held = dealt[1][1]
    poisoned, answers = X.copy(), y.copy()
    poisoned.loc[held, "text"] = "splendid poison"
    answers[held] = 0
    clean, dirty = TfIdf(folds=3).fit(X, y), TfIdf(folds=3).fit(poisoned, answers)
    probe, _ = reviews(seed=9)
    np.testing.assert_allclose(clean.draws(probe)[1], dirty.draws(probe)[1], atol=1e-6)
    assert np.abs(clean.draws(probe)[0] - dirty.draws(probe)[0]).max() > 0.01


def test_long_collections_do_without_pieces_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = reviews()
    monkeypatch.setattr(tfidf, "MAX_CHARACTERS", 10)
    assert not any(t.startswith(CHAR_NGRAM_PREFIX) for t in TfIdf(folds=1).fit(X, y)._known)
    assert any(t.startswith(CHAR_NGRAM_PREFIX) for t in TfIdf(folds=1, char_ngrams=(3, 3)).fit(X, y)._known)


def test_the_most_frequent_terms_are_kept() -> None:
    X, y = reviews()
    known = TfIdf(folds=1, max_features=12, char_ngrams=None, word_ngrams=(1, 1)).fit(X, y)._known
    assert 0 < len(known) <= 12
    assert {"film", "plot"} <= set(known)


def test_refuses_one_answer_and_columns() -> None:
    X, _ = reviews(10)
    with pytest.raises(InputError, match="all 10 training rows have the same answer"):
        TfIdf().fit(X, np.zeros(10, dtype=int))
    with pytest.raises(InputError, match="reads text"):
        TfIdf().fit(pd.DataFrame({"a": [1.0], "group": ["x"]}), np.array([1]))


def test_spam_is_told_from_ham(shared_data: Path, tmp_path: Path) -> None:
    raw = pd.read_csv(shared_data / "sms_spam" / "spam.csv", encoding="cp1252").drop_duplicates("v2").head(1500)
    X, y = frame(*raw["v2"]), (raw["v1"] == "spam").astype(int).to_numpy()
    model = TfIdf().fit(X.iloc[:1000], y[:1000])
    p = model.draws(X.iloc[1000:])
    assert roc_auc_score(y[1000:], p.mean(0)) > 0.98
    model.save(tmp_path)
    np.testing.assert_array_equal(Model.load(tmp_path).draws(X.iloc[1000:]), p)


def test_scripts_without_spaces_are_read_by_pieces() -> None:
    assert {CHAR_NGRAM_PREFIX + "电影", CHAR_NGRAM_PREFIX + "喜欢"} <= set(ngrams("我喜欢这部电影", (1, 2), (2, 5)))
