"""--log-format json: every line on standard error is one JSON object, also for mistakes and for bugs."""

import json
import os
from typing import Any

import pytest

from cli import main as command
from credence.core.log import FORMAT_VARIABLE, log
from credence.generation.progress import Progress


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (FORMAT_VARIABLE, "TQDM_DISABLE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize("flags", [["--log-format", "json"], ["--log-format=json"]])
def test_a_mistake_is_one_object(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["train", *flags, "--task", "brest_cancer"]) == 2
    (said,) = lines(capsys)
    assert said["level"] == "error" and said["message"].startswith("--task brest_cancer: there is no")
    assert set(said) == {"time", "level", "logger", "message"}


def test_a_mistake_in_the_flags_is_told_in_that_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--nope", "--log-format", "json"]) == 2
    assert lines(capsys)[0]["message"].startswith("unrecognized arguments: --nope")


def test_text_is_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--task", "brest_cancer"]) == 2
    assert capsys.readouterr().err.startswith("error: --task brest_cancer: there is no tasks/brest_cancer.yaml.")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "run", lambda args: 1 / 0)
    assert command.main(["--log-format", "json"]) == 1
    (said,) = lines(capsys)
    assert said["message"] == "ZeroDivisionError: division by zero" and "Traceback" in said["exception"]
    with pytest.raises(ZeroDivisionError):
        command.main(["--log-format", "text"])


def test_progress_is_an_object_without_its_indent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "json")
    log("  1,500 rows, 50 % yes: \u201cand quotes\u201d\nand a second line")
    Progress()._show("comparison 1/2", over=False)
    said = lines(capsys)
    assert [line["message"] for line in said] == [
        "1,500 rows, 50 % yes: \u201cand quotes\u201d\nand a second line",
        "comparison 1/2",
    ]
    assert {line["level"] for line in said} == {"info"} and all(line["time"].endswith("+00:00") for line in said)


def test_json_hides_the_progress_bars() -> None:
    command.choose_log_format(["--log-format", "json"])
    assert os.environ["TQDM_DISABLE"] == "1"
