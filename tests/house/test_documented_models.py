"""docs/reference/models.md says of every kind what it is and gives every parameter with the default it really has."""

import re
from pathlib import Path
from typing import Any

import pytest

from credence.core.registry import available_kinds, load_kind
from credence.model import Model
from credence.models.tabular import TabularModel

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "models.md").read_text()
ADDING = (Path(__file__).parents[2] / "docs" / "how-to" / "add-a-kind.md").read_text()
KINDS = [k for k in available_kinds("models") if issubclass(load_kind("models", k), TabularModel) or k == "tfidf"]


def section(kind: str) -> str:
    found = re.search(rf"^### `{kind}`\n(.+?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/models.md has no section on {kind}"
    return found[1]


def spelled(default: Any) -> str:
    return (
        f"{default:,}" if isinstance(default, int) else f"{default:g}" if isinstance(default, float) else str(default)
    )


@pytest.mark.parametrize("kind", available_kinds("models"))
def test_every_kind_has_a_section(kind: str) -> None:
    assert len(section(kind).split()) > 15


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_named_with_its_default(kind: str) -> None:
    model = load_kind("models", kind)
    parent = next(
        c for c in model.__mro__[1:] if c in (Model, TabularModel) or c.__module__.startswith("credence.models.")
    )
    for name in set(model.model_fields) - set(parent.model_fields) - {"members"}:
        default = spelled(model.model_fields[name].default)
        text = section(kind)
        assert f"`{name}`" in text, f"{kind}: {name} is not documented"
        assert default in text or name.endswith("ngrams"), f"{kind}: the default of {name} is {default}"


def test_what_tabular_kinds_share_is_documented() -> None:
    for name in set(TabularModel.model_fields) - {"seed"}:
        assert f"| `{name}` |" in PAGE


def test_the_example_works() -> None:
    code = re.search(r'```python\n(""".+?)```', ADDING, re.DOTALL)
    assert code
    place: dict[str, Any] = {"__name__": "neighbours"}
    exec(code[1], place)
    assert len(code[1].splitlines()) < 30
    assert place["Neighbours"]().neighbours == 15
