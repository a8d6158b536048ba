"""Every message that the error index explains is one that the code can still say."""

import ast
import re

import pytest

from tests.support.doc_blocks import ROOT

FOLDERS = ("credence", "cli", "steps", "bentos", "stacks", "pipelines")
MESSAGES = re.findall(r"^\| `(.+?)` \|", (ROOT / "docs/reference/errors.md").read_text(), re.MULTILINE)
SHORTEST = 8  # characters of a piece of text that cannot be there by chance


@pytest.fixture(scope="module")
def pieces() -> set[str]:
    """The texts of the code, between the values that are filled in."""
    files = [f for folder in FOLDERS for f in (ROOT / folder).rglob("*.py")]
    nodes = (node for f in files for node in ast.walk(ast.parse(f.read_text())))
    texts = (
        node.value.strip(" .;:") for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {text for text in texts if len(text) >= SHORTEST}


@pytest.mark.parametrize("message", MESSAGES)
def test_the_message_is_still_said(message: str, pieces: set[str]) -> None:
    for part in (p.strip(" .,;:") for p in re.split("…", message)):
        if len(part) >= SHORTEST:
            assert any(piece in part or part in piece for piece in pieces), f"no code says {part!r}"
