"""The kind `relations`: it reads which relation is asserted, members are networks of their own, words do where numbers
are missing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.generation.arithmetic import CATEGORIES, propose_statement
from credence.model import Model
from credence.models.kinds.relations import Relations, _ParallelLinear
from credence.models.relations import RELATION_NAMES
from credence.models.relations.row_encoder import RelationEncoder, number_terms
from credence.statistics.uncertainty import decompose_uncertainty

QUICK: dict[str, Any] = {"members": 3, "epochs": 15, "width": 32, "batch_rows": 64}


def statements(per_cell: int, first: int = 0) -> tuple[pd.DataFrame, Any]:
    """As many true as false statements of every category."""
    cells = [(c, label) for c in CATEGORIES for label in (True, False)]
    items = [propose_statement(5, *cell, first + ordinal) for ordinal in range(per_cell) for cell in cells]
    X = pd.DataFrame({"text": [item.question for item in items], "group": [item.category for item in items]})
    return X, np.array([int(item.answer) for item in items])


@pytest.fixture(scope="module")
def learned() -> Relations:
    model: Relations = Relations(**QUICK)
    model.fit(*statements(200))
    return model


def test_it_tells_true_statements_from_false_ones(learned: Relations) -> None:
    X, y = statements(60, first=1000)
    right = (learned.draws(X).mean(0) >= 0.5) == y
    assert right.mean() >= 0.97
    assert pd.Series(right).groupby(X["group"]).mean().min() >= 0.93


def test_the_same_statement_in_other_numbers_gets_the_answer_of_its_relations(learned: Relations) -> None:
    X = pd.DataFrame({"text": ["1,200 + 34 = 1,234", "1200 + 34 = 1235", "0.1 + 0.2 = 0.3", "-5 + 8 = 3"]})
    assert (learned.draws(X).mean(0) >= 0.5).tolist() == [True, False, True, True]


def test_members_are_draws_that_differ(learned: Relations) -> None:
    X, _ = statements(20, first=2000)
    draws = learned.draws(X)
    assert draws.shape == (3, len(X))
    assert len(np.unique(draws.round(12), axis=0)) == 3
    assert np.isfinite(decompose_uncertainty(draws)[1]).all()


def test_one_member_is_one_draw_without_disagreement() -> None:
    X, y = statements(8)
    model = Relations(members=1, epochs=1).fit(X, y)
    assert model.draws(X).shape == (1, len(X))
    assert np.isnan(decompose_uncertainty(model.draws(X))[1]).all()


def test_members_share_nothing_but_the_rows() -> None:
    torch.manual_seed(0)
    side, x = _ParallelLinear(3, 4, 2), torch.randn(5, 4)
    out = side(x)
    for member in range(3):
        torch.testing.assert_close(out[member], x @ side.weight[member] + side.bias[member])
    out[1].sum().backward()
    assert side.weight.grad is not None
    assert side.weight.grad[[0, 2]].abs().max() == 0


def test_biases_do_not_decay() -> None:
    X, y = statements(4)
    module = Relations(epochs=1, members=2).fit(X, y)._module
    decaying = {name for name, parameter in module.named_parameters() if module.decays(name, parameter)}
    assert decaying == {"head.0.weight", "head.3.weight"}


def test_texts_without_numbers_are_told_by_their_words() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    words = rng.choice(["a", "film", "with", "actors"], (300, 3))
    X = pd.DataFrame({"text": [f"{' '.join(w)} {['awful', 'fine'][a]}" for w, a in zip(words, y, strict=True)]})
    p = Relations(**QUICK).fit(X, y).draws(X).mean(0)
    assert ((p >= 0.5) == y).all()


def test_pairs_of_words_tell_their_order() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 300)
    X = pd.DataFrame({"text": [f"{'red blue' if a else 'blue red'} {n}" for a, n in zip(y, range(300), strict=True)]})
    p = Relations(**QUICK).fit(X, y).draws(X).mean(0)
    assert ((p >= 0.5) == y).all()


def test_terms_hold_no_digit_and_every_number_is_alike() -> None:
    assert number_terms("7 + 12.5 = 19.5") == ["#", "+", "#", "=", "#", "# +", "+ #", "# =", "= #"]
    assert number_terms("1,820 is odd") == number_terms("-3/4 is odd") == ["#", "is", "odd", "# is", "is odd"]
    assert not any(c.isdigit() for term in number_terms("x2 ٣ B12 <b>5</b> 3rd") for c in term)
    assert number_terms("") == []


def test_a_row_is_its_known_terms_and_its_relations() -> None:
    reader = RelationEncoder.learn(pd.DataFrame({"text": ["2 is even", "3 is odd", "4 is even"]}), most=20)
    read = reader.columns(pd.DataFrame({"text": ["8 is even even", "", "is 7 unheard of"]}))
    there = [{w for w, v in zip(reader.vocabulary.words, row, strict=True) if v} for row in read["terms"]]
    assert there == [{"#", "is", "even", "# is", "is even"}, set(), {"#", "is"}]
    related = dict(zip(RELATION_NAMES, read["relations"][0].tolist(), strict=True))
    assert (related["8 divides a"], related["a is prime"], related["x + y = z"]) == (1, -1, 0)
    assert torch.as_tensor(read["relations"]).shape == (3, len(RELATION_NAMES))


def test_the_most_frequent_terms_are_kept() -> None:
    X = pd.DataFrame({"text": [f"word{'a' * n} is here" for n in range(50)] * 2})
    assert len(RelationEncoder.learn(X, most=7).vocabulary.words) == 7


def test_a_saved_model_goes_on_where_relations_were_added(learned: Relations, tmp_path: Path) -> None:
    X, y = statements(8)
    old = Relations(epochs=1, members=2).fit(X, y)
    old.save(tmp_path)
    stored = json.loads((tmp_path / "reader.json").read_text())
    assert stored["names"] == list(RELATION_NAMES)
    shorter = RelationEncoder(vocabulary=stored["vocabulary"], names=RELATION_NAMES[:10])
    assert torch.equal(
        torch.as_tensor(shorter.columns(X)["relations"]), torch.as_tensor(old._reader.columns(X)["relations"])[:, :10]
    )


def test_a_relation_that_is_gone_is_named(tmp_path: Path) -> None:
    Relations(epochs=1, members=2).fit(*statements(4)).save(tmp_path)
    stored = json.loads((tmp_path / "reader.json").read_text())
    stored["names"][0] = "a is lucky"
    (tmp_path / "reader.json").write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"'a is lucky'; expected .* train it again"):
        Model.load(tmp_path)


def test_masks_give_draws_of_the_mean_member(learned: Relations) -> None:
    X, _ = statements(10, first=3000)
    draws = learned.sampled(X, passes=6)
    assert draws.shape == (6, len(X))
    assert draws.std(0).max() > 0
    np.testing.assert_allclose(learned.sampled(X[3:4], passes=6)[:, 0], draws[:, 3], atol=1e-5)


def test_one_answer_only_is_refused() -> None:
    X, y = statements(4)
    with pytest.raises(InputError, match="needs rows of both"):
        Relations().fit(X, np.zeros_like(y))


def test_columns_are_refused() -> None:
    with pytest.raises(InputError, match="text"):
        Relations().fit(pd.DataFrame({"size": [1.0, 2.0]}), np.array([0, 1]))


@pytest.mark.parametrize(("parameter", "value"), [("members", 0), ("width", 0), ("dropout", 1.0), ("vocabulary", 0)])
def test_impossible_parameters_are_refused(parameter: str, value: float) -> None:
    with pytest.raises(InputError, match=parameter):
        ModelSpec(kind="relations", **{parameter: value}).build()
