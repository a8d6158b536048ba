"""Base class of row encoders, which turn rows into tensors, and the vocabulary of text encoders."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Self

import pandas as pd
from pydantic import BaseModel, ConfigDict

from credence.data.text import UNSPACED, normalize_text
from credence.models.training.padded_batch import Column

TOKEN = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_{UNSPACED}]+)?|\d|[^\w\s]|_")


def tokenize(text: str) -> list[str]:
    """Split a text into lower-case tokens.

    A token is a word, a digit, a sign, or a character of a script without spaces. HTML tags become blanks; entities
    are decoded.
    """
    return TOKEN.findall(normalize_text(text))


PADDING, UNKNOWN = 0, 1
SPECIAL = 2


class RowEncoder(BaseModel):
    """Turns rows into tensors. Its fields are fitted to training rows and stored as JSON beside the weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Return the columns of `PaddedRows`: name -> tensor of shape (rows, …), or one tensor (length, …) per row."""
        raise NotImplementedError

    def digest(self) -> str:
        """Return the SHA-256 of the fields, which distinguishes checkpoints of different vocabularies."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Vocabulary(BaseModel):
    """Known words, numbered from 2; 0 is padding and 1 is an unknown word."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: tuple[str, ...]

    @classmethod
    def learn(cls, texts: Iterable[list[str]], most: int, fewest: int = 2) -> Self:
        """Collect the `most` frequent tokens.

        Args:
            texts: The tokens of each training text.
            most: Largest number of words.
            fewest: Fewest texts in which a token longer than one character must occur.
        """
        found = Counter(token for text in texts for token in sorted(set(text)))
        kept = [(-n, token) for token, n in found.items() if n >= fewest or len(token) == 1]
        return cls(words=tuple(token for _, token in sorted(kept)[:most]))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Word -> its number, from 2."""
        return {word: number for number, word in enumerate(self.words, SPECIAL)}

    def __len__(self) -> int:
        return len(self.words) + SPECIAL

    def ids(self, text: list[str]) -> list[int]:
        """Return the number of each token; 1 if unknown."""
        return [self.numbers.get(token, UNKNOWN) for token in text]
