"""Text novelty detection: flag texts unlike the training texts, with a reason.

A model's own uncertainty misses them: a network stays confident on numbers beyond those of training.
"""

import base64
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.data.novelty.messages import length_out_of_range, number_out_of_range, too_many_new_words
from credence.data.novelty.text_features import WordTable, extract_numbers
from credence.data.novelty.value_range import ValueRange
from credence.data.text import normalize_text

MAX_WORDS = 2**17
MAX_SHARE_CALLED_NEVER = 0.001
FALSE_ALARM_RATE = 0.003
EMPTY, NONE_KNOWN = "the text is empty", "not one word was ever seen in training"
Array = NDArray[np.float64]


class NewWordRate(StrictModel):
    """The rate of unseen words in training texts, each compared with the words of the others.

    Of n distinct words of a text, k are unseen. The score (k - n rate) / sd, with the standard deviation of a
    beta-binomial count, may reach `most`.
    """

    rate: float
    spread: float
    most: float

    @classmethod
    def learn(cls, new: Array, words: Array) -> Self:
        """Fit on the training texts.

        Args:
            new: Number of words of every text that occur in no other text, shape (texts,).
            words: Number of distinct words of every text, shape (texts,).
        """
        new, words = new[words > 0], words[words > 0]
        rate = float((new.sum() + 0.5) / (words.sum() + 1))
        binomial, pairs = words * rate * (1 - rate), (words * (words - 1) * rate * (1 - rate)).sum()
        spread = float(np.clip((((new - words * rate) ** 2 - binomial).sum()) / pairs, 0, 1)) if pairs else 1.0
        found = cls(rate=rate, spread=spread, most=0.0)
        scores = found.score(new, words)
        most = float(np.quantile(scores, 1 - FALSE_ALARM_RATE, method="higher")) if len(scores) else 0.0
        return found.model_copy(update={"most": max(most, 1.0)})

    def score(self, new: Array, words: Array) -> Array:
        """Return by how many standard deviations a text has more unseen words than expected; 0 without words."""
        n = np.maximum(words, 1)
        deviation = np.sqrt(n * self.rate * (1 - self.rate) * (1 + (n - 1) * self.spread))
        return np.asarray((new - words * self.rate) / deviation)


class TextNovelty(StrictModel):
    """Novelty detector, learned on the training texts: words, lengths, numbers, and whether empty texts occur.

    `known` holds the words as sorted 32-bit hashes in base64. About 0.3 % of ordinary texts are flagged for new
    words; with n training texts, about 1 in n is flagged for each range.
    """

    known: str
    new_words: NewWordRate
    characters: ValueRange
    words: ValueRange
    numbers: ValueRange | None
    ever_empty: bool
    ever_unknown: bool

    @classmethod
    def learn(cls, texts: pd.Series, keys: pd.Series | None = None) -> Self:
        """Learn from at least one text.

        Args:
            texts: The training texts; copies count once.
            keys: Texts with the same key count as one text when unseen words are counted.
        """
        first = ~texts.duplicated().to_numpy()
        plain = [normalize_text(text) for text in texts[first]]
        words, numbers = WordTable.of(plain), [x for text in plain for x in extract_numbers(text)]
        of_key = np.arange(len(plain)) if keys is None else pd.factorize(keys[first])[0]
        known, times = words.frequent(of_key, MAX_WORDS)
        new = words.counted(~np.isin(words.hashes, known[times > 1]))
        empty = texts.str.strip().eq("").to_numpy()
        return cls(
            known=base64.b64encode(known.astype("<u4").tobytes()).decode(),
            new_words=NewWordRate.learn(new, words.distinct),
            characters=ValueRange.of(texts.str.len()),
            words=ValueRange.of(words.total),
            numbers=ValueRange.of(numbers) if numbers else None,
            ever_empty=bool(empty.mean() > MAX_SHARE_CALLED_NEVER),
            ever_unknown=bool(((new == words.distinct) & ~empty[first]).mean() > MAX_SHARE_CALLED_NEVER),
        )

    @cached_property
    def hashes(self) -> NDArray[np.uint32]:
        """The sorted hashes of the training words."""
        return np.frombuffer(base64.b64decode(self.known), dtype="<u4")

    def reasons(self, texts: pd.Series, quote: bool = True) -> list[list[str]]:
        """Return, per text, the reasons why it differs from the training texts; empty for ordinary texts.

        Args:
            texts: The texts.
            quote: Whether reasons may quote numbers from the text.
        """
        plain = [normalize_text(text) for text in texts]
        words = WordTable.of(plain)
        new = words.counted(~self._knows(words.hashes))
        many = self.new_words.score(new, words.distinct) > self.new_words.most
        found = []
        for i, text in enumerate(texts):
            if text.strip():
                lengths = self._lengths(len(text), words.total[i])
                unseen = self._unseen(new[i], words.distinct[i], bool(many[i]))
                found.append(lengths + unseen + self._numbers(plain[i], quote))
            else:
                found.append([] if self.ever_empty else [EMPTY])
        return found

    def _lengths(self, characters: int, words: float) -> list[str]:
        return length_out_of_range(self.characters, characters, "character") or length_out_of_range(
            self.words, words, "word"
        )

    def _unseen(self, new: float, words: float, many: bool) -> list[str]:
        if new == words and not self.ever_unknown:
            return [NONE_KNOWN]
        return [too_many_new_words(new, words)] if many else []

    def _numbers(self, text: str, quote: bool) -> list[str]:
        return number_out_of_range(self.numbers, extract_numbers(text), quote) if self.numbers else []

    def _knows(self, hashes: NDArray[np.uint32]) -> NDArray[np.bool_]:
        known = self.hashes
        if not len(known):
            return np.zeros(len(hashes), bool)
        place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
        found: NDArray[Any] = known[place] == hashes
        return found
