"""Learned parameters survive the disk exactly, and reading them runs nothing that they name."""

import functools
import json
import os
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.naive_bayes import GaussianNB

from credence.core.errors import InputError
from credence.models.tabular import serialization
from credence.models.tabular.encoding import TableEncoding
from credence.models.tabular.trees import TreeEnsemble


def test_plain_values_arrays_and_our_own_objects_come_back(tmp_path: Path) -> None:
    encoding = TableEncoding(knots=2)
    table = {"a": np.arange(9.0), "b": np.array(["is", None, "of"] * 3, dtype=object)}
    Z = encoding.fit_transform(table, np.arange(9) % 2)
    learned = {"is": [1, 2.5, None, True, "text"], "of": {"is": np.arange(3)}, "": [encoding]}
    serialization.dump(learned, tmp_path)
    found = serialization.load(tmp_path)
    assert found["is"] == learned["is"]
    np.testing.assert_array_equal(found["of"]["is"], np.arange(3))
    np.testing.assert_array_equal(found[""][0].transform(table), Z)


def test_long_texts_are_files_that_others_can_read(tmp_path: Path) -> None:
    serialization.dump([TreeEnsemble("tree\n" * 1000, odds=True, single=False)], tmp_path)
    assert (tmp_path / "0.txt").read_text() == "tree\n" * 1000
    assert serialization.load(tmp_path)[0].text == "tree\n" * 1000


def test_a_scikit_learn_estimator_travels_by_skops(tmp_path: Path) -> None:
    Z, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    fitted = GaussianNB().fit(Z, y)
    serialization.dump([fitted], tmp_path)
    np.testing.assert_array_equal(serialization.load(tmp_path)[0].predict_proba(Z), fitted.predict_proba(Z))


def test_an_archive_that_names_anything_else_is_refused_and_not_run(tmp_path: Path) -> None:
    serialization.dump([GaussianNB()], tmp_path)
    skops.io.dump(functools.partial(os.mkdir, str(tmp_path / "ran")), tmp_path / "0.skops")
    with pytest.raises(InputError, match="which is not trusted"):
        serialization.load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_class_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    serialization.dump([], tmp_path)
    (tmp_path / "learned.json").write_text(json.dumps({"is": "Popen", "of": {"args": "true"}}))
    with pytest.raises(InputError, match="holds a 'Popen'"):
        serialization.load(tmp_path)


def test_an_array_of_objects_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        serialization.dump([np.array([{}], dtype=object)], tmp_path)
