"""Quality of generated rows: duplicates, label leakage, errors, cost; and the HTML report."""

from typing import TYPE_CHECKING, Any

from credence.core.old_names import old_attribute

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Names of version 0.1."""
        return old_attribute(__name__, name)
