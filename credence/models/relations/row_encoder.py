"""Row encoder of kind `relations`: which words a text contains, and the relations between its numbers."""

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from credence.core.errors import InputError
from credence.models.neural.row_encoder import SPECIAL, UNKNOWN, RowEncoder, Vocabulary, tokenize
from credence.models.relations.number_extraction import mask_numbers, number_values
from credence.models.relations.relation_table import RELATION_NAMES, relation_vector
from credence.models.training.padded_batch import Column


class RelationEncoder(RowEncoder):
    """Encodes texts as `terms`, uint8 [rows, terms], 1 if present, and `relations`, float32 [rows, relations].

    Terms are words and pairs of adjacent words; every number is the same word, #.

    Attributes:
        vocabulary: Known terms.
        names: Names of the relations.
    """

    vocabulary: Vocabulary
    names: tuple[str, ...] = RELATION_NAMES

    @classmethod
    def learn(cls, X: pd.DataFrame, most: int) -> Self:
        """Collect the `most` frequent terms of training texts."""
        return cls(vocabulary=Vocabulary.learn(map(number_terms, X["text"]), most))

    @cached_property
    def places(self) -> list[int]:
        """Positions of the relations in RELATION_NAMES.

        Raises:
            InputError: This version does not compute one of the relations.
        """
        if unknown := sorted(set(self.names) - set(RELATION_NAMES)):
            raise InputError(
                f"the model was trained on relations that this version does not compute, among them {unknown[0]!r}; "
                "expected those of credence.models.relations.RELATION_NAMES: train it again."
            )
        return [RELATION_NAMES.index(name) for name in self.names]

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Return `terms` and `relations` of texts."""
        texts = X["text"].tolist()
        related = np.array([relation_vector(number_values(text)) for text in texts]).reshape(
            len(texts), len(RELATION_NAMES)
        )
        return {"terms": self._terms(texts), "relations": torch.from_numpy(related[:, self.places]).float()}

    def _terms(self, texts: list[str]) -> Tensor:
        present = torch.zeros(len(texts), len(self.vocabulary.words), dtype=torch.uint8)
        for row, text in enumerate(texts):
            known = [number - SPECIAL for number in self.vocabulary.ids(number_terms(text)) if number != UNKNOWN]
            present[row, known] = 1
        return present


def number_terms(text: str) -> list[str]:
    """Return the words and signs of a text, with # for a number, then all pairs of adjacent ones."""
    words = [token for token in tokenize(mask_numbers(text)) if not token.isdigit()]
    return words + [" ".join(pair) for pair in pairwise(words)]
