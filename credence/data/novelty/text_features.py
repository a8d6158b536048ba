"""What is read off a text: its words as hashes, how many there are, and its numbers."""

import html
import re
import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from credence.data.text import TAG, UNSPACED

WORD = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_{UNSPACED}]+)*")
NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,]\d+)*")
BY_COMMAS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
BY_DOTS = re.compile(r"-?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|-?\d{1,3}(?:\.\d{3})+,\d+")
DECIMAL = re.compile(r"-?\d+(?:[.,]\d+)?")
MAX_EXACT_INTEGER = 1e300


def normalize_text(text: str) -> str:
    """The text in lower case; HTML tags are blanks and entities what they stand for."""
    return TAG.sub(" ", html.unescape(text)).lower()


def split_words(text: str) -> list[str]:
    """The words of a plain text: runs of letters, and single letters of scripts without spaces."""
    return WORD.findall(text)


def extract_numbers(text: str) -> list[float]:
    """The numbers that stand by themselves in a text, with their sign; 1,820 and 1.234,5 are read, 1.2.2024 is none."""
    found = (_value(m.replace("−", "-")) for m in NUMBER.findall(text))
    return [max(-MAX_EXACT_INTEGER, min(MAX_EXACT_INTEGER, x)) for x in found if x is not None]


def _value(digits: str) -> float | None:
    if BY_COMMAS.fullmatch(digits):
        return float(digits.replace(",", ""))
    if BY_DOTS.fullmatch(digits):
        return float(digits.replace(".", "").replace(",", "."))
    return float(digits.replace(",", ".")) if DECIMAL.fullmatch(digits) else None


@dataclass(frozen=True)
class WordTable:
    """The different words of every text, one after the other; `row` says whose they are.

    hashes uint32 [words], row [words]; distinct and total count words per text, float64 [texts].
    """

    hashes: NDArray[np.uint32]
    row: NDArray[np.intp]
    distinct: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def of(cls, texts: list[str]) -> Self:
        """Read plain texts."""
        read = [split_words(text) for text in texts]
        unlike = [{zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words} for words in read]
        distinct = np.array([len(words) for words in unlike], np.intp)
        hashes = np.fromiter((h for words in unlike for h in words), np.uint32, int(distinct.sum()))
        row = np.repeat(np.arange(len(read)), distinct)
        return cls(hashes, row, distinct.astype(float), np.array([len(words) for words in read], float))

    def counted(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How many of each text's different words are chosen, shape (texts,)."""
        return np.bincount(self.row[chosen], minlength=len(self.distinct)).astype(float)

    def frequent(self, of_key: NDArray[np.intp], most: int) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """The words that stand under most keys, at most `most`, sorted; and under how many keys each one stands."""
        pairs = np.unique(self.hashes.astype(np.uint64) << 32 | of_key[self.row].astype(np.uint64))
        known, times = np.unique((pairs >> 32).astype(np.uint32), return_counts=True)
        kept = np.sort(np.argsort(-times, kind="stable")[:most])
        return known[kept], times[kept]
