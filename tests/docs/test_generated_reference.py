"""The generated reference names everything that the code has."""

import pytest

from cli.arguments import parser
from credence.core.registry import FAMILIES, available_kinds
from credence.task import Task
from docs.generate_reference import PAGES


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {address.split("/")[-1]: page() for address, page in PAGES.items()}


def test_every_flag_is_listed(pages: dict[str, str]) -> None:
    for action in parser()._actions:
        assert all(f"`{option}`" in pages["cli.md"] for option in action.option_strings)


def test_every_key_of_a_task_is_listed(pages: dict[str, str]) -> None:
    for name in set(Task.model_fields) - {"name"}:
        assert f"`{name}`" in pages["task-keys.md"]
    for key in ("gate.margin", "columns.label", "monitoring.alerts.webhook", "split.salt", "generation.rows"):
        assert f"`{key}`" in pages["task-keys.md"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_is_listed(family: str, pages: dict[str, str]) -> None:
    for kind in available_kinds(family):
        assert f"### {family}: {kind}\n" in pages["kind-parameters.md"]


def test_metrics_and_fields_are_listed(pages: dict[str, str]) -> None:
    for name in ("credence_answers_total", "credence_drift", "llm_cost_usd_total", "breaker_state"):
        assert f"`{name}`" in pages["metrics.md"]
    for field in ("abstain", "epistemic", "request_id", "contribution"):
        assert f"`{field}`" in pages["endpoints.md"]


def test_the_python_api_names_what_is_public(pages: dict[str, str]) -> None:
    assert "::: credence.task.Task" in pages["python.md"]
    assert "::: credence.predictor.Predictor" in pages["python.md"]
