"""Every example of docs/reference/providers.md can be made, and every kind and key is in its tables."""

from pathlib import Path
from typing import Any

import pytest

from credence.core.registry import available_kinds, load_kind
from credence.core.yaml_loader import parse_yaml
from credence.generation.llm.provider import Provider, ProviderSpec

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "providers.md").read_text()
EXAMPLES: list[dict[str, Any]] = [parse_yaml(block.split("```")[0]) for block in PAGE.split("```yaml\n")[1:]]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.get("name", e["kind"]))
def test_an_example_can_be_made(example: dict[str, Any]) -> None:
    made: Provider = ProviderSpec(**example).build()
    assert made.name == example.get("name", example["kind"])
    assert (made.key_env is None) == (made.name in ("own", "offline"))


def test_every_kind_has_an_example() -> None:
    assert {e["kind"] for e in EXAMPLES} == set(available_kinds("providers"))


@pytest.mark.parametrize("kind", available_kinds("providers"))
def test_every_kind_and_every_key_is_spoken_of(kind: str) -> None:
    for word in (kind, *load_kind("providers", kind).model_fields):
        assert f"`{word}`" in PAGE or f"{word}:" in PAGE, f"docs/reference/providers.md does not speak of {word}"


@pytest.mark.parametrize(
    ("address", "name"),
    [("http://127.0.0.1:8000/v1", "127.0.0.1:8000"), ("https://api.deepseek.com", "api.deepseek.com")],
)
def test_a_server_without_a_name_is_called_after_its_host(address: str, name: str) -> None:
    assert ProviderSpec(kind="openai", model="m", base_url=address, key_env=None).build().name == name
