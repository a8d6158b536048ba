"""Every command that the documentation shows exists and takes the flags shown."""

import importlib.util
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from cli.arguments import parse_arguments
from tests.support.doc_blocks import ROOT, Block, blocks

OTHERS = {"bentoml", "zenml", "export", "git", "pip", "credence"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(block: Block) -> list[list[str]]:
    """The words of every command, without variables before it and without comments."""
    lines = re.sub(r"\$\([^)]*\)", "VALUE", re.sub(r"\\\n", " ", block.text)).splitlines()
    words = [shlex.split(re.split(r" [|>]", line)[0], comments=True) for line in lines]
    return [w for found in words if (w := [x for i, x in enumerate(found) if not is_variable(found, i)])]


def is_variable(words: list[str], i: int) -> bool:
    return all(re.match(r"[A-Z_]+=", w) for w in words[: i + 1])


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_every_command_is_one_that_works(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(block):
        match words:
            case ["python" | ".venv/bin/python", "run.py", *flags]:
                parses(flags, tmp_path)
            case ["python" | ".venv/bin/python", "-m", module, *flags]:
                assert importlib.util.find_spec(module), f"there is no module {module}"
                takes(Path(str(importlib.util.find_spec(module).origin)), flags)  # type: ignore[union-attr]
            case ["python" | ".venv/bin/python", script, *flags]:
                takes(ROOT / script, flags)
            case ["make", *targets]:
                assert set(targets) <= TARGETS, f"make has no target {targets}"
            case ["curl", *flags]:
                sends_json(flags)
            case _:
                assert words[0] in OTHERS, f"nothing checks {words[0]}"


def parses(flags: list[str], folder: Path) -> None:
    """The parser takes the flags, once the files that they name are there."""
    for flag, value in pairwise(flags):
        if flag == "--data":
            (folder / value).parent.mkdir(parents=True, exist_ok=True)
            (folder / value).touch()
        if flag == "--task":
            (folder / "tasks").mkdir(exist_ok=True)
            (folder / "tasks" / f"{value}.yaml").touch()
    parse_arguments([re.sub(r"^\$\w+$", "2026-03-01T12:00", f) for f in flags], ["local", "kubernetes"])


def takes(script: Path, flags: list[str]) -> None:
    """Every flag is spelled in the script or, for a package, in the module that it runs."""
    run = script.with_name("__main__.py") if script.name == "__init__.py" else script
    text = run.read_text()
    assert all(f in text for f in flags if f.startswith("--")), f"{run} does not take {flags}"


def sends_json(flags: list[str]) -> None:
    for flag, body in pairwise(flags):
        if flag == "-d" and not body.startswith("@"):
            json.loads(body)
