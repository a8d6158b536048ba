"""Named text features: words, relations between the numbers of a text, and products of both."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from credence.core.errors import InputError
from credence.data.text import UNSPACED, strip_html
from credence.model import Labels
from credence.models.relations import RELATION_NAMES, mask_numbers, number_values, relation_vector
from credence.models.tabular.preprocessing import Columns
from credence.statistics.uncertainty import Array

WORD = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_{UNSPACED}]+)?|[^\w\s]")
MIN_TEXTS = 2
MAX_PER_ANSWER = 10_000


class TextFeature(NamedTuple):
    """One feature: a word (1 if present), a relation (-1, 0 or 1), or the product of both."""

    word: str | None
    relation: str | None

    @property
    def name(self) -> str:
        """The name shown in reports."""
        return " × ".join(part for part in self if part is not None)


def select_text_features(texts: Sequence[str], y: Labels, words: int, keep: int, seed: int) -> list[TextFeature]:
    """Select features by weight in an L1 logistic regression, on at most 10,000 texts per label.

    Args:
        texts: Training texts.
        y: Labels in {0, 1}, shape (texts,).
        words: Number of most frequent words that are candidates, with all relations and all products.
        keep: Most features.
        seed: Seed of sampling and solver.
    """
    sample = _sample_rows(y, seed)
    texts, y = [texts[row] for row in sample], y[sample]
    text_words = [_words(text) for text in texts]
    counts = Counter(word for found in text_words for word in sorted(found))
    known = [word for word, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n >= MIN_TEXTS][:words]
    candidates = [*(TextFeature(None, r) for r in RELATION_NAMES), *(TextFeature(w, None) for w in known)]
    candidates += [TextFeature(w, r) for w in known for r in RELATION_NAMES]
    Z = _candidates(csr_matrix(_relations(texts)), _presence(text_words, known))
    distinct = _distinct(Z)
    chosen = distinct[_heaviest(Z[:, distinct], y, keep, seed)] if len(distinct) else distinct
    return [candidates[place] for place in sorted(chosen)]


def feature_matrix(texts: Sequence[str], phrases: Sequence[TextFeature]) -> Array:
    """Compute the value of every feature in every text, shape (texts, features).

    Raises:
        InputError: A feature uses a relation that this version does not compute.
    """
    _require_known(phrases)
    related = _relations(texts)
    text_words = [_words(text) for text in texts]
    Z = np.ones((len(texts), len(phrases)))
    for place, phrase in enumerate(phrases):
        if phrase.relation is not None:
            Z[:, place] *= related[:, RELATION_NAMES.index(phrase.relation)]
        if phrase.word is not None:
            Z[:, place] *= [phrase.word in found for found in text_words]
    return Z


def _sample_rows(y: Labels, seed: int) -> Columns:
    """Return sorted row numbers: all rows of a label, or a random sample of MAX_PER_ANSWER."""
    rng = np.random.default_rng(seed)
    mixed = (rng.permutation(np.flatnonzero(y == answer)) for answer in (0, 1))
    return np.sort(np.concatenate([rows[:MAX_PER_ANSWER] for rows in mixed]))


def _words(text: str) -> set[str]:
    return set(WORD.findall(mask_numbers(strip_html(text)).lower()))


def _relations(texts: Sequence[str]) -> Array:
    return np.array([relation_vector(number_values(text)) for text in texts]).reshape(len(texts), len(RELATION_NAMES))


def _presence(text_words: list[set[str]], known: list[str]) -> csr_matrix:
    return csr_matrix(np.array([[word in found for word in known] for found in text_words], np.float64))


def _candidates(related: csr_matrix, words: csr_matrix) -> csc_matrix:
    products = [related.multiply(words[:, [place]]) for place in range(words.shape[1])]
    return csc_matrix(hstack([related, words, *products]))


def _distinct(Z: csc_matrix) -> Columns:
    """Return the columns that vary; of columns that are equal up to sign, only the first."""
    found: dict[tuple[bytes, bytes], int] = {}
    Z.eliminate_zeros()
    Z.sort_indices()
    for place in range(Z.shape[1]):
        rows, values = (part[Z.indptr[place] : Z.indptr[place + 1]] for part in (Z.indices, Z.data))
        if len(rows) and (len(rows) < Z.shape[0] or np.ptp(values) > 0):
            found.setdefault((rows.tobytes(), (values * np.sign(values[0])).tobytes()), place)
    return np.array([*found.values()], dtype=np.intp)


def _heaviest(Z: csc_matrix, y: Labels, keep: int, seed: int) -> Columns:
    """Return at most `keep` columns by |weight| × standard deviation, without those of weight 0."""
    weight = LogisticRegression(l1_ratio=1.0, solver="liblinear", random_state=seed).fit(Z, y).coef_[0]
    mean, square = (np.asarray(part.mean(0)).ravel() for part in (Z, Z.multiply(Z)))
    strength = np.abs(weight) * np.sqrt(np.maximum(square - mean**2, 0.0))
    heavy = np.argsort(-strength, kind="stable")[:keep]
    return np.asarray(heavy[strength[heavy] > 0])


def _require_known(phrases: Sequence[TextFeature]) -> None:
    if unknown := sorted({p.relation for p in phrases if p.relation is not None} - set(RELATION_NAMES)):
        raise InputError(
            f"the model was trained on relations that this version does not compute, among them {unknown[0]!r}; "
            "expected those of credence.models.relations.RELATION_NAMES: train it again."
        )
