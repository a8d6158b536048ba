"""Do the texts of a window read like those that the predictor learned from? A classifier that tries to tell them apart
answers for all words at once."""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from credence.monitoring.traits import Trait

MOST_ROWS = 5000
MOST_WORDS = 20_000


def wording(column: str, before: pd.Series, now: pd.Series) -> list[Trait]:
    """The scores of a classifier that learned on every other text of both, for the texts that it has not seen.

    Where nothing has changed, both halves' scores are alike (Lopez-Paz & Oquab 2017); nothing for too few texts.
    """
    before, now = _thinned(before), _thinned(now)
    learned = pd.concat([before[::2], now[::2]])
    if min(len(before), len(now)) < 4 or not learned.str.contains(r"\w\w").any():
        return []
    words = TfidfVectorizer(max_features=MOST_WORDS, sublinear_tf=True).fit(learned)
    is_now = np.repeat([0, 1], [len(before[::2]), len(now[::2])])
    tell = LogisticRegression(class_weight="balanced").fit(words.transform(learned), is_now)
    old, new = (pd.Series(tell.decision_function(words.transform(half))) for half in (before[1::2], now[1::2]))
    return [Trait(column, "wording", "number", old, new)]


def _thinned(texts: pd.Series) -> pd.Series:
    return texts.iloc[:: -(-len(texts) // MOST_ROWS)] if len(texts) > MOST_ROWS else texts
