"""Row encoder for texts: words, number tokens with Fourier features, and relations between numbers."""

from collections.abc import Mapping
from itertools import islice
from typing import Self

import numpy as np
import pandas as pd
import torch

from credence.data.text import strip_html
from credence.models.neural.row_encoder import TOKEN, RowEncoder, Vocabulary
from credence.models.relations import FONE_WIDTH, RELATION_NAMES, FoundNumber, find_numbers, fone, relation_vector
from credence.models.training.padded_batch import Column

NUMBER = "##"  # every other token has one sign, so no text contains this one
ENDS = (".", "!", "?", "。", "！", "？")


class TextTokenizer(RowEncoder):
    """Encodes texts as the ragged column `words`, int64, and optionally `numbers` and `relations`.

    `numbers` is the ragged column of Fourier features (FoNE, arXiv 2502.09741) of each number token. `relations` is
    float32 (rows, relations) of all numbers of the text.

    Attributes:
        vocabulary: Known words.
        longest: Most tokens per text.
        reach: Tokens of the longest training text.
        fone: Whether a number is one token; otherwise each digit is.
        relations: Names of the relations; empty for none.
    """

    vocabulary: Vocabulary
    longest: int
    reach: int
    fone: bool
    relations: tuple[str, ...]

    @classmethod
    def learn(cls, X: pd.DataFrame, most: int, longest: int, fone: bool, relations: bool) -> Self:
        """Fit to training texts.

        Args:
            X: Inputs with the column `text`.
            most: Most words.
            longest: Most tokens per text.
            fone: Whether a number is one token with Fourier features.
            relations: Whether to encode the relations between numbers.
        """
        read = [_words(text, find_numbers(text) if fone else [], longest) for text in map(strip_html, X["text"])]
        vocabulary = Vocabulary.learn(read, most)
        return cls(
            vocabulary=vocabulary,
            longest=longest,
            reach=max(map(len, read)),
            fone=fone and NUMBER in vocabulary.numbers,
            relations=RELATION_NAMES if relations else (),
        )

    @property
    def number(self) -> int:
        """Number of the number token, or -1 without it."""
        return self.vocabulary.numbers[NUMBER] if self.fone else -1

    @property
    def ends(self) -> list[int]:
        """Numbers of the tokens that end a sentence."""
        return [self.vocabulary.numbers[sign] for sign in ENDS if sign in self.vocabulary.numbers]

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Return `words` and, if asked for, `numbers` and `relations` of texts."""
        plain = [strip_html(text) for text in X["text"]]
        numbers = [find_numbers(text) if self.fone or self.relations else [] for text in plain]
        pairs = zip(plain, numbers, strict=True)
        words = [_words(text, found if self.fone else [], self.longest) for text, found in pairs]
        columns: dict[str, Column] = {"words": [torch.tensor(self.vocabulary.ids(w)).long() for w in words]}
        if self.fone:
            columns["numbers"] = [_coded(found[: w.count(NUMBER)]) for found, w in zip(numbers, words, strict=True)]
        if self.relations:
            columns["relations"] = relation_features(numbers)
        return columns


def _words(text: str, numbers: list[FoundNumber], longest: int) -> list[str]:
    """Split a text into at most `longest` tokens, with each of these numbers as one."""
    words: list[str] = []
    begins = 0
    for number in numbers:
        words += [*_pieces(text[begins : number.start], longest - len(words)), NUMBER]
        begins = number.end
        if len(words) >= longest:
            return words[:longest]
    return words + _pieces(text[begins:], longest - len(words))


def _pieces(text: str, most: int) -> list[str]:
    return [match[0] for match in islice(TOKEN.finditer(text.lower()), most)]


def _coded(numbers: list[FoundNumber]) -> torch.Tensor:
    codes = np.array([fone(number.value) for number in numbers]).reshape(-1, FONE_WIDTH)
    return torch.as_tensor(codes, dtype=torch.float32)


def relation_features(numbers: list[list[FoundNumber]]) -> torch.Tensor:
    """Return the relations between the numbers of each text, float32 [rows, relations]."""
    return torch.as_tensor(
        np.array([relation_vector([number.value for number in found]) for found in numbers]), dtype=torch.float32
    )
