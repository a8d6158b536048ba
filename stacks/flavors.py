"""The flavors of components that ZenML knows, all of them."""

from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.stack.flavor_registry import FlavorRegistry
from zenml.zen_stores.sql_zen_store import SqlZenStore


def complete_flavors(client: Client, kind: StackComponentType, flavor: str) -> None:
    """A first run that was killed while ZenML filled its store left flavors out, and ZenML does not look again."""
    try:
        client.get_flavor_by_name_and_type(flavor, kind)
    except KeyError:
        if isinstance(client.zen_store, SqlZenStore):
            FlavorRegistry().register_flavors(client.zen_store)
