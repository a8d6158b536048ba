"""How rows become tensors: learned from training rows, kept as JSON beside the weights."""

import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Self

import pandas as pd
from pydantic import BaseModel, ConfigDict

from credence.data.text import TAG, UNSPACED
from credence.models.training.padded_batch import Column

TOKEN = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_{UNSPACED}]+)?|\d|[^\w\s]|_")


def tokenize(text: str) -> list[str]:
    """Words in lower case, each digit, each sign and each character of a script without spaces by itself.

    HTML tags are blanks, entities what they stand for.
    """
    return TOKEN.findall(TAG.sub(" ", html.unescape(text)).lower())


PADDING, UNKNOWN = 0, 1
SPECIAL = 2


class RowEncoder(BaseModel):
    """What a kind must remember of its training rows to read others; its fields are all there is to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Columns for `EncodedRows`: shape (rows, …), or one tensor (length, …) a row."""
        raise NotImplementedError

    def digest(self) -> str:
        """SHA-256 of all that it remembers, so that checkpoints of another vocabulary are told apart."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Vocabulary(BaseModel):
    """Words by number: 0 is padding, 1 every word that is not known, known ones follow."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: tuple[str, ...]

    @classmethod
    def learn(cls, texts: Iterable[list[str]], most: int, fewest: int = 2) -> Self:
        """The `most` frequent tokens among those that stand in at least `fewest` texts, or are one character long."""
        found = Counter(token for text in texts for token in sorted(set(text)))
        kept = [(-n, token) for token, n in found.items() if n >= fewest or len(token) == 1]
        return cls(words=tuple(token for _, token in sorted(kept)[:most]))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Word -> its number."""
        return {word: number for number, word in enumerate(self.words, SPECIAL)}

    def __len__(self) -> int:
        return len(self.words) + SPECIAL

    def ids(self, text: list[str]) -> list[int]:
        """The number of every token."""
        return [self.numbers.get(token, UNKNOWN) for token in text]
