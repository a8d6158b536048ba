"""Normalize texts, count words, and extract word and character n-grams."""

import html
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
THAI_LAO, BURMESE, KHMER, KANA, HAN = (
    "\u0e00-\u0eff",
    "\u1000-\u109f",
    "\u1780-\u17ff",
    "\u3040-\u30ff",
    "\u3400-\u4dbf\u4e00-\u9fff",
)
UNSPACED = THAI_LAO + BURMESE + KHMER + KANA + HAN  # scripts without spaces between words
WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
SHORT_WORD = re.compile(f"[{UNSPACED}]{{1,2}}|[^\\s{UNSPACED}]+")
TOKEN = re.compile(r"\w+|[!?%$€£]")
CHAR_NGRAM_PREFIX = "\x01"
Span = tuple[int, int]


def strip_html(text: str) -> str:
    """Return a text with HTML tags replaced by spaces and HTML entities decoded."""
    return TAG.sub(" ", html.unescape(text))


def normalize_text(text: str) -> str:
    """Return a text in lower case, with HTML tags replaced by spaces and HTML entities decoded."""
    return strip_html(text).lower()


def ngrams(text: str, words: Span, pieces: Span | None) -> list[str]:
    """Return the word n-grams of a normalized text, then its character n-grams, with repetitions.

    Args:
        text: The text.
        words: Shortest and longest word n-gram.
        pieces: Shortest and longest character n-gram, within words; they start with `CHAR_NGRAM_PREFIX`.
    """
    plain = normalize_text(text)
    tokens = TOKEN.findall(plain)
    found = [" ".join(tokens[i : i + n]) for n in range(words[0], words[1] + 1) for i in range(len(tokens) - n + 1)]
    return found + _char_ngrams(plain, pieces) if pieces else found


def _char_ngrams(plain: str, span: Span) -> list[str]:
    found = []
    for word in plain.split():
        padded = f" {word} "
        for n in range(span[0], min(span[1], len(padded)) + 1):
            found += [CHAR_NGRAM_PREFIX + padded[i : i + n] for i in range(len(padded) - n + 1)]
    return found


def count_ngrams(texts: Iterable[str], words: Span, pieces: Span | None) -> tuple[list[str], csr_matrix]:
    """Return the n-grams of texts in order of appearance, and their counts, a sparse matrix (texts, n-grams).

    Args:
        texts: The texts.
        words: Shortest and longest word n-gram.
        pieces: Shortest and longest character n-gram; None for no character n-grams.
    """
    known: dict[str, int] = {}
    columns: list[NDArray[np.intp]] = []
    counts: list[NDArray[np.float64]] = []
    for text in texts:
        c = Counter(ngrams(text, words, pieces))
        columns.append(np.fromiter((known.setdefault(t, len(known)) for t in c), np.intp, len(c)))
        counts.append(np.fromiter(c.values(), np.float64, len(c)))
    ends = np.cumsum([0, *map(len, columns)])
    data, indices = (np.concatenate(p) if p else np.zeros(0) for p in (counts, columns))
    matrix = csr_matrix((data, indices, ends), shape=(len(columns), len(known)))
    matrix.sort_indices()
    return list(known), matrix


def median_word_count(texts: pd.Series) -> float:
    """Return the median number of words; in scripts without spaces, two characters count as one word."""
    return float(texts.map(lambda t: len(SHORT_WORD.findall(str(t)))).median())
