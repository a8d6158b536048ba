"""Words of texts as hashes, word counts, and numbers in texts."""

import re
import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from credence.data.text import UNSPACED

WORD = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_{UNSPACED}]+)*")
NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,]\d+)*")
BY_COMMAS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
BY_DOTS = re.compile(r"-?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|-?\d{1,3}(?:\.\d{3})+,\d+")
DECIMAL = re.compile(r"-?\d+(?:[.,]\d+)?")
MAX_NUMBER = 1e300


def split_words(text: str) -> list[str]:
    """Return the words of a normalized text: runs of letters, and single characters of scripts without spaces."""
    return WORD.findall(text)


def extract_numbers(text: str) -> list[float]:
    """Return the signed numbers of a text that are not parts of words; 1,820 and 1.234,5 count, 1.2.2024 does not."""
    found = (_value(m.replace("−", "-")) for m in NUMBER.findall(text))
    return [max(-MAX_NUMBER, min(MAX_NUMBER, x)) for x in found if x is not None]


def _value(digits: str) -> float | None:
    if BY_COMMAS.fullmatch(digits):
        return float(digits.replace(",", ""))
    if BY_DOTS.fullmatch(digits):
        return float(digits.replace(".", "").replace(",", "."))
    return float(digits.replace(",", ".")) if DECIMAL.fullmatch(digits) else None


@dataclass(frozen=True)
class WordTable:
    """The distinct words of every text, concatenated.

    Attributes:
        hashes: CRC-32 of every word, shape (words,).
        row: Number of its text, shape (words,).
        distinct: Number of distinct words of every text, shape (texts,).
        total: Number of words of every text, shape (texts,).
    """

    hashes: NDArray[np.uint32]
    row: NDArray[np.intp]
    distinct: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def of(cls, texts: list[str]) -> Self:
        """Build the table of normalized texts."""
        split = [split_words(text) for text in texts]
        unique = [{zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words} for words in split]
        distinct = np.array([len(words) for words in unique], np.intp)
        hashes = np.fromiter((h for words in unique for h in words), np.uint32, int(distinct.sum()))
        row = np.repeat(np.arange(len(split)), distinct)
        return cls(hashes, row, distinct.astype(float), np.array([len(words) for words in split], float))

    def counted(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Count the chosen words of every text, shape (texts,); `chosen` has shape (words,)."""
        return np.bincount(self.row[chosen], minlength=len(self.distinct)).astype(float)

    def frequent(self, of_key: NDArray[np.intp], most: int) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Return the words that occur under most keys.

        Args:
            of_key: Number of every text's key, shape (texts,).
            most: Maximum number of words.

        Returns:
            The sorted hashes of these words, and the number of keys under which each occurs.
        """
        pairs = np.unique(self.hashes.astype(np.uint64) << 32 | of_key[self.row].astype(np.uint64))
        known, times = np.unique((pairs >> 32).astype(np.uint32), return_counts=True)
        kept = np.sort(np.argsort(-times, kind="stable")[:most])
        return known[kept], times[kept]
