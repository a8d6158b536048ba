"""Every YAML block of the documentation is a task, a section of one, a provider, a stack or Prometheus' own file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from credence.core.yaml_loader import parse_yaml
from credence.generation.llm.provider import ProviderSpec
from credence.task import Task
from tests.support.doc_blocks import Block, blocks

BASE: dict[str, Any] = {
    "question": "Is it so?",
    "source": {"kind": "csv", "path": "rows.csv"},
    "columns": {"label": "answer", "positive": "yes"},
    "models": [{"kind": "logistic"}],
}
TEXT = {"columns": {"label": "answer", "positive": "yes", "text": "question"}, "models": [{"kind": "tfidf"}]}
NETWORKS = ("bilstm", "relations", "transformer", "tfidf", "embeddings")


def completed(content: dict[str, Any]) -> dict[str, Any]:
    """A task that holds these sections; it reads text where a model needs that."""
    kinds = {m["kind"] for m in content.get("models", [])} | {
        m["model"]["kind"] for m in content.get("models", []) if "model" in m
    }
    reads_text = kinds & set(NETWORKS) or "text" in content.get("columns", {})
    return BASE | (TEXT if reads_text else {}) | content


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_block_can_be_used(block: Block, tmp_path: Path) -> None:
    content = parse_yaml(block.text)
    if isinstance(content, list):  # candidates
        content = {"models": content}
    if "kind" in content:
        assert ProviderSpec(**content).build()
    elif "components" in content:
        assert set(content) <= {"components", "secrets", "settings"}
    elif "scrape_configs" not in content:
        (tmp_path / "shown.yaml").write_text(yaml.safe_dump(completed(content), allow_unicode=True))
        Task.read(tmp_path / "shown.yaml")
