"""A predictor that is loaded to answer: who vouches for it is said where the server's words go."""

import logging
from pathlib import Path

import pytest

from bentos.runtime.loaded_predictor import LoadedPredictor
from credence.core.errors import InputError
from credence.security.signing.keys import VERIFYING
from tests.support.serving_cases import kept, trained
from tests.support.small_kinds import small


class Heard(logging.Handler):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return kept(trained(small("logistic"), "answerer")[0], tmp_path / "predictor")


def test_who_vouches_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, logger = Heard(), logging.getLogger("bentoml.credence")
    monkeypatch.setattr(logger, "handlers", [heard])
    monkeypatch.setattr(logger, "disabled", False)
    before = logger.level
    logger.setLevel(logging.INFO)  # also forgets which levels were enabled
    LoadedPredictor(folder)
    logger.setLevel(before)
    assert len(heard.lines) == 1 and f": unsigned: no {VERIFYING} is set, so only damage is noticed" in heard.lines[0]


def test_one_that_was_changed_is_refused(folder: Path) -> None:
    (folder / "seen.npy").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"seen\.npy was changed"):
        LoadedPredictor(folder)
