"""What is known of generated rows, and the HTML report of a generation."""

from typing import TYPE_CHECKING, Any

from credence.core.old_names import old_attribute

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Names of version 0.1."""
        return old_attribute(__name__, name)
