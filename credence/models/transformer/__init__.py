"""Modules of the Bayesian Expectation Transformer: tokens, embeddings, encoder, head, and the whole network."""

from typing import TYPE_CHECKING, Any

from credence.core.old_names import old_attribute

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Resolve names of version 0.1."""
        return old_attribute(__name__, name)
