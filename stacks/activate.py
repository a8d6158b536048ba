"""Activate a ZenML stack; `stacks/<name>.yaml` is registered at its first use."""

import re
from typing import Any
from uuid import UUID

import yaml
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.stack.flavor_registry import FlavorRegistry
from zenml.zen_stores.sql_zen_store import SqlZenStore

from stacks.names import project_stacks, stack_file


def complete_flavors(client: Client, kind: StackComponentType, flavor: str) -> None:
    """Register missing component flavors: ZenML does not, if its first run was killed while it filled the store."""
    try:
        client.get_flavor_by_name_and_type(flavor, kind)
    except KeyError:
        if isinstance(client.zen_store, SqlZenStore):
            FlavorRegistry().register_flavors(client.zen_store)


class StackNotReady(ValueError):
    """A stack that cannot be used as it is; the message says what is missing."""


def describe_stack(name: str) -> dict[str, Any]:
    """Read `stacks/<name>.yaml`: components by role, and optionally secrets and settings."""
    content: dict[str, Any] = yaml.safe_load(stack_file(name).read_text())
    return content


def activate_stack(name: str) -> dict[str, Any]:
    """Activate a stack of this project, or any stack that ZenML has.

    Args:
        name: A file of stacks/ without .yaml, or the name of an existing stack.

    Returns:
        The file's secrets and settings; empty for an existing stack.

    Raises:
        StackNotReady: There is no such stack, a placeholder is left in its file, or a secret is missing.
    """
    client = Client()
    if name not in project_stacks():
        client.activate_stack(_existing(client, name))
        return {}
    content = describe_stack(name)
    _refuse_placeholders(name, content["components"])
    _refuse_absent_secrets(client, name, content.get("secrets", []), content["components"])
    _register(client, f"credence-{name}", content["components"])
    client.activate_stack(f"credence-{name}")
    return {k: v for k, v in content.items() if k != "components"}


def _existing(client: Client, name: str) -> UUID:
    try:
        return client.get_stack(name, allow_name_prefix_match=False).id
    except KeyError:
        known = ", ".join(sorted({*project_stacks(), *(s.name for s in client.list_stacks(size=100))}))
        raise StackNotReady(f"--stack {name}: neither stacks/{name}.yaml nor ZenML has it. Known: {known}.") from None


def has_tracker() -> bool:
    """Return whether the active stack has an experiment tracker."""
    return StackComponentType.EXPERIMENT_TRACKER in Client().active_stack_model.components


def _refuse_placeholders(name: str, components: dict[str, dict[str, Any]]) -> None:
    for role, config in components.items():
        for key, value in config.items():
            if "<" in str(value):
                raise StackNotReady(
                    f"stacks/{name}.yaml: components.{role}.{key} is still {value!r}; put your own value in its place."
                )


def _refuse_absent_secrets(client: Client, name: str, secrets: list[str], components: dict[str, Any]) -> None:
    for secret in secrets:
        try:
            client.get_secret(secret)
        except KeyError:
            keys = sorted(set(re.findall(rf"{{{{{re.escape(secret)}\.(\w+)}}}}", str(components))))
            needed = " ".join([f"zenml secret create {secret}", *(f"--{key}=…" for key in keys)])
            raise StackNotReady(f"stacks/{name}.yaml: ZenML holds no secret {secret!r}; create it: {needed}") from None


def _register(client: Client, stack: str, components: dict[str, dict[str, Any]]) -> None:
    chosen: dict[StackComponentType, str] = {}
    for role, config in components.items():
        kind, component = StackComponentType(role), f"{stack}-{role.replace('_', '-')}"
        chosen[kind] = component
        try:
            client.get_stack_component(kind, component, allow_name_prefix_match=False)
        except KeyError:
            settings = {k: v for k, v in config.items() if k != "flavor"}
            complete_flavors(client, kind, config["flavor"])
            client.create_stack_component(component, config["flavor"], kind, settings)
    try:
        client.get_stack(stack, allow_name_prefix_match=False)
    except KeyError:
        client.create_stack(stack, dict(chosen))
