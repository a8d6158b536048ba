"""Features of the numbers in a text: values, relations between them, and Fourier features.

Nothing is learned here, and words are not read: a model learns which relation a sentence asserts. The relations are
checks of arithmetic facts as model inputs. Claims that they do not cover must be learned from words alone.
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
        """Resolve names of version 0.1."""
        return old_attribute(__name__, name)
