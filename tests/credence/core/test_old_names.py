"""Code and stores written for version 0.1 find every module and name where it is now."""

import importlib
import subprocess
import sys

import pytest

from credence.core.old_names import MovedModule, moved_modules

MOVED = list(moved_modules().values())


@pytest.mark.parametrize("moved", MOVED, ids=lambda m: m.old)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_old_name_is_found(moved: MovedModule) -> None:
    module = importlib.import_module(moved.old)
    for name, now in moved.names.items():
        assert getattr(module, name) is moved.get(name), now


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("import credence.whole", "credence.whole: Now credence.core.atomic_write."),
        ("from credence.errors import BadInput", "credence.errors: Now credence.core.errors."),
        ("from credence.predictor import Facts", "credence.predictor.Facts is now credence.predictor.PredictorInfo."),
        ("from credence.models import Model", "credence.models.Model is now credence.model.Model."),
    ],
)
def test_an_old_import_says_what_it_is_called_now(statement: str, said: str) -> None:
    command = [sys.executable, "-W", "always::DeprecationWarning", "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said in done.stderr


def test_a_module_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"credence\.nonsense"):
        importlib.import_module("credence.nonsense")
    with pytest.warns(DeprecationWarning, match="Now credence"):
        module = importlib.reload(importlib.import_module("credence.familiar.wording"))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        module.nonsense  # noqa: B018
