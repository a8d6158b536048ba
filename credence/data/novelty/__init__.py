"""What texts of training look like, so that a text unlike all of them can be handed back with the reason.

Doubt that is learned does not see this: numbers beyond those of training leave a network as sure as before.
"""

import base64
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.data.novelty.messages import length_out_of_range, number_out_of_range, too_many_new_words
from credence.data.novelty.text_features import WordTable, extract_numbers, normalize_text
from credence.data.novelty.value_range import ValueRange

MAX_WORDS = 2**17
MAX_SHARE_CALLED_NEVER = 0.001
FALSE_ALARM_RATE = 0.003
EMPTY, NONE_KNOWN = "the text is empty", "not one word was ever seen in training"
Array = NDArray[np.float64]


class NewWordRate(StrictModel):
    """How many words of a text may be new: what training texts show when their own words are left out.

    Of n words k are new. (k - n rate) / sd, with the sd of a beta-binomial count, may reach `most`.
    """

    rate: float
    spread: float
    most: float

    @classmethod
    def learn(cls, new: Array, words: Array) -> Self:
        """From the counts of every training text, shape (texts,)."""
        new, words = new[words > 0], words[words > 0]
        rate = float((new.sum() + 0.5) / (words.sum() + 1))
        binomial, pairs = words * rate * (1 - rate), (words * (words - 1) * rate * (1 - rate)).sum()
        spread = float(np.clip((((new - words * rate) ** 2 - binomial).sum()) / pairs, 0, 1)) if pairs else 1.0
        found = cls(rate=rate, spread=spread, most=0.0)
        scores = found.score(new, words)
        most = float(np.quantile(scores, 1 - FALSE_ALARM_RATE, method="higher")) if len(scores) else 0.0
        return found.model_copy(update={"most": max(most, 1.0)})

    def score(self, new: Array, words: Array) -> Array:
        """Standard deviations above the rate; 0 for a text without words."""
        n = np.maximum(words, 1)
        deviation = np.sqrt(n * self.rate * (1 - self.rate) * (1 + (n - 1) * self.spread))
        return np.asarray((new - words * self.rate) / deviation)


class TextNovelty(StrictModel):
    """Learned on the training texts: their words as sorted 32-bit hashes, lengths, numbers, and what never happened.

    Of ordinary texts three in a thousand have more new words than they may, and one of n goes beyond a range of n.
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
        """From at least one text; copies and rows of one key count as one, so that none makes its own words known."""
        first = ~texts.duplicated().to_numpy()
        read = [normalize_text(text) for text in texts[first]]
        words, numbers = WordTable.of(read), [x for text in read for x in extract_numbers(text)]
        of_key = np.arange(len(read)) if keys is None else pd.factorize(keys[first])[0]
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
        """The words of training, as sorted hashes."""
        return np.frombuffer(base64.b64decode(self.known), dtype="<u4")

    def reasons(self, texts: pd.Series, quote: bool = True) -> list[list[str]]:
        """Per text, why it should not be trusted to a model; numbers of the text are quoted where `quote` allows it."""
        read = [normalize_text(text) for text in texts]
        words = WordTable.of(read)
        new = words.counted(~self._knows(words.hashes))
        many = self.new_words.score(new, words.distinct) > self.new_words.most
        found = []
        for i, text in enumerate(texts):
            if text.strip():
                lengths = self._lengths(len(text), words.total[i])
                unseen = self._unseen(new[i], words.distinct[i], bool(many[i]))
                found.append(lengths + unseen + self._numbers(read[i], quote))
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
