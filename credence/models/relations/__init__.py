"""What can be worked out from the numbers of a text: their values, how they relate, and a code for each of them.

Nothing here is learned, and no wording is looked at: which relation a sentence asserts is for a model to read. It is a
library of checks for arithmetic, in the form of inputs; what it does not hold a model has to learn from words alone.
"""

from typing import TYPE_CHECKING, Any

from credence.core.old_names import old_attribute
from credence.models.relations.number_extraction import FoundNumber, find_numbers, mask_numbers, number_values
from credence.models.relations.relation_table import FONE_WIDTH, MAX_NUMBERS, RELATION_NAMES, fone, relation_vector

__all__ = [
    "FONE_WIDTH",
    "MAX_NUMBERS",
    "RELATION_NAMES",
    "FoundNumber",
    "find_numbers",
    "fone",
    "mask_numbers",
    "number_values",
    "relation_vector",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Names of version 0.1."""
        return old_attribute(__name__, name)
