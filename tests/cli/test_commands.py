"""Commands are short for --pipeline, flags have clearer names beside their first ones, and a shell completes both."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli import flags as declared
from cli.arguments import parse_arguments
from cli.completion import script
from cli.main import main
from credence.core.errors import InputError

ROOT = Path(__file__).parents[2]
ASK = """
source "$1"
shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_shtab_credence
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(("command", "pipeline"), declared.PIPELINE_OF_COMMAND.items())
def test_a_command_is_its_pipeline(command: str, pipeline: str) -> None:
    more = ["--history"] if pipeline == "promotion" else []
    short, long = (parse_arguments([*words, *more], None) for words in ([command], ["--pipeline", pipeline]))
    given = {k: v for k, v in vars(short).items() if k not in ("command", "set_behind")}
    assert given == {k: v for k, v in vars(long).items() if k != "command"}


def test_every_pipeline_has_a_command_and_its_flags() -> None:
    assert sorted(declared.PIPELINE_OF_COMMAND.values()) == sorted(declared.PIPELINES)
    owned = {flag for flags in declared.FLAGS_OF_PIPELINE.values() for flag in flags}
    assert owned == {flag.dest for flags in declared.GROUPS.values() for flag in flags}


def test_flags_may_stand_on_both_sides_of_a_command() -> None:
    args = parse_arguments(["--set", "gate.minimum=0.8", "--no-cache", "train", "--set", "split.salt=x"], None)
    assert args.overrides == {"gate.minimum": 0.8, "split.salt": "x"} and args.no_cache


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["trian"], "trian: no such command. Did you mean 'train'?"),
        (["train", "--to", "3"], "--to belongs to --pipeline promotion, not to training."),
        (["monitor", "--traffic-share", "0.1"], "--traffic-share belongs to --pipeline promotion, not to monitoring."),
        (["--pipeline", "deployment", "train"], "--pipeline deployment and the command train: give one of them."),
        (["predict", "--chunk-rows=0"], "--chunk-rows 0: expected a number of rows, 1 or more."),
        (["predict", "--chunk", "0"], "--chunk 0: expected a number of rows, 1 or more."),
        (["train", "--id-column", "name"], "--id-column describes the table of --data FILE; a task says it"),
        (["train", "--feedbak"], "unrecognized arguments: --feedbak"),
        (["completion", "dash"], "invalid choice: 'dash'"),
    ],
)
def test_mistakes_are_told_in_a_sentence(argv: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=r"\w") as mistake:
        parse_arguments(argv, ["local"])
    assert sentence in str(mistake.value)


@pytest.mark.parametrize(
    ("command", "clearer", "first", "value"),
    [
        ("train", "--with-feedback", "--feedback", None),
        ("predict", "--id-column", "--id", "name"),
        ("predict", "--chunk-rows", "--chunk", "500"),
        ("monitor", "--interval", "--every", "1h"),
        ("promote", "--traffic-share", "--share", "0.2"),
    ],
)
def test_a_clearer_name_is_the_same_flag(command: str, clearer: str, first: str, value: str | None) -> None:
    more = ["--challenger", "3", "--reason", "x"] if command == "promote" else []
    told = [parse_arguments([command, name, *([value] if value else []), *more], None) for name in (clearer, first)]
    assert vars(told[0]) == vars(told[1])


def test_help_of_a_command_shows_its_own_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        declared.parser(["promote"], "credence").parse_args(["promote", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: credence promote ") and "--traffic-share" in said and "--budget" not in said


@pytest.mark.parametrize(("started", "name"), [("/usr/bin/credence", "credence"), ("run.py", "python run.py")])
def test_help_calls_the_program_as_it_was_started(
    started: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    declared.parser().print_help()
    said = capsys.readouterr().out
    assert said.startswith(f"usage: {name.removeprefix('python ')} [COMMAND]") and f"  {name} deploy --task" in said
    with pytest.raises(InputError, match=f"See {name} --help"):
        parse_arguments(["--nope"], None)


def completed(tmp_path: Path, *words: str) -> list[str]:
    (tmp_path / "credence.bash").write_text(script("bash"))
    command = ["bash", "-c", ASK, "ask", str(tmp_path / "credence.bash"), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes_commands_flags_tasks_and_stacks(tmp_path: Path) -> None:
    assert completed(tmp_path, "credence", "tr") == ["train"]
    assert completed(tmp_path, "credence", "promote", "--tr") == ["--traffic-share"]
    assert completed(tmp_path, "credence", "train", "--task", "rea") == ["reasoning"]
    assert completed(tmp_path, "credence", "--stack", "l") == ["local"]


@pytest.mark.parametrize("shell", declared.SHELLS)
def test_every_shell_has_a_script(shell: str) -> None:
    assert "promote" in script(shell)


def test_without_shtab_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "needs shtab, which is not installed: pip install" in capsys.readouterr().err
