"""From texts to counted terms: words, pairs of words and pieces of words."""

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


def ngrams(text: str, words: Span, pieces: Span | None) -> list[str]:
    """All n-grams of `words` in lower case, then those of characters inside words (marked), each as often as it occurs.

    HTML tags are blanks and entities are what they stand for.
    """
    plain = TAG.sub(" ", html.unescape(text)).lower()
    tokens = TOKEN.findall(plain)
    found = [" ".join(tokens[i : i + n]) for n in range(words[0], words[1] + 1) for i in range(len(tokens) - n + 1)]
    return found + _pieces(plain, pieces) if pieces else found


def _pieces(plain: str, span: Span) -> list[str]:
    found = []
    for word in plain.split():
        padded = f" {word} "
        for n in range(span[0], min(span[1], len(padded)) + 1):
            found += [CHAR_NGRAM_PREFIX + padded[i : i + n] for i in range(len(padded) - n + 1)]
    return found


def count_ngrams(texts: Iterable[str], words: Span, pieces: Span | None) -> tuple[list[str], csr_matrix]:
    """The vocabulary of the texts and how often each term occurs, shape (texts, terms)."""
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
    """The median number of words; in scripts without spaces between words, two characters count as one."""
    return float(texts.map(lambda t: len(SHORT_WORD.findall(str(t)))).median())
