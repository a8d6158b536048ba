"""The Bayesian expectation transformer: rows as tokens, layers, one vector a row, and a last layer that knows doubt."""

from typing import TYPE_CHECKING, Any

from credence.core.old_names import old_attribute

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Names of version 0.1."""
        return old_attribute(__name__, name)
