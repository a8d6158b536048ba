"""Explain answers: contributions per row and global importance, in log-odds; exact where the model provides them."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.data.rows import internal_name, model_inputs, original_name
from credence.data.text import WORD
from credence.predictor import Predictor
from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.uncertainty import Array, logit

Explanation = list[tuple[str, float]]
MAX_COLUMNS = 100
EXPLAINED_ROWS = 2000
SHUFFLED_ROWS = 500
REPEATS = 5
RESAMPLES = 500
BACKGROUND_ROWS = 100
EVALUATIONS = 4096
LEFT_OUT = 1500
PHRASES = 24
ORDERS = 4
WORDLESS = "(no words)"
SPACED_WORD = re.compile(rf"(?:{WORD.pattern}) ?")


def importance(predictor: Predictor, rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Global importance of the inputs over these rows (label and inputs).

    The method depends on the model. Exact contributions: mean |SHAP| in calibrated log-odds. Otherwise permutation
    importance, the rise of the log-loss in nats when the column is shuffled (Breiman 2001). For the words of a text:
    the change of the log-odds per row when the word is left out.

    Returns:
        Columns column, value, low, high, direction, method, largest value first, at most 100 lines. low and high are
        the 95 % bootstrap interval over rows. direction is 1 if higher values (or the word) speak for yes, -1 for no,
        0 if neither or unknown.
    """
    chosen = rows.sample(min(len(rows), EXPLAINED_ROWS), random_state=seed)
    exact = contributions(predictor, chosen)
    if exact is None and "text" in predictor.info.schema_.names():
        return _left_out(predictor, chosen, seed)
    if exact is None:
        return _shuffled(predictor, rows.sample(min(len(rows), SHUFFLED_ROWS), random_state=seed), seed)
    known = exact[[c for c in exact if exact[c].any()]] if exact.shape[1] > MAX_COLUMNS else exact
    found = _summary(list(map(str, known)), known.abs().to_numpy(), "mean |SHAP|", seed)
    names = [original_name(c) if c in chosen else c for c in found["column"]]
    return found.assign(direction=[_direction(known[c], chosen) for c in found["column"]], column=names)[_ORDER]


def explain_rows(predictor: Predictor, rows: pd.DataFrame, seed: int = 0) -> list[Explanation]:
    """Explain every row by pairs of (column, contribution) in calibrated log-odds, largest absolute value first.

    Contributions are exact where the model gives them; for several draws they are those of the mean log-odds. Otherwise
    they are Shapley values by permutation sampling (Štrumbelj and Kononenko 2014), which sum to the row's log-odds
    minus `reference_mean`. A text is explained by its phrases.
    """
    exact = contributions(predictor, rows)
    if exact is not None:
        known = set(predictor.info.schema_.names())
        names = {str(c): original_name(str(c)) if c in known else str(c) for c in exact}
        rows_of = (zip(names.items(), row, strict=True) for row in exact.to_numpy())
        return [_sorted([(name, v) for (c, name), v in row if v or c in known]) for row in rows_of]
    wanted = model_inputs(rows)
    explain = _phrases if "text" in predictor.info.schema_.names() else _columns
    return [explain(predictor, wanted.iloc[[i]], seed) for i in range(len(wanted))]


def contributions(predictor: Predictor, rows: pd.DataFrame) -> pd.DataFrame | None:
    """The model's exact contributions to the calibrated log-odds, shape (rows, columns or words), or None."""
    found = predictor.model.explain(predictor.info.schema_.select(rows))
    return None if found is None else found * predictor.info.scaling.slope


def reference_mean(predictor: Predictor) -> float:
    """Mean calibrated log-odds of the background rows, the baseline of sampled contributions."""
    return float(_log_odds(predictor, _background(predictor)).mean())


_ORDER = ["column", "value", "low", "high", "direction", "method"]


def _summary(columns: list[str], per_row: Array, method: str, seed: int) -> pd.DataFrame:
    value = per_row.mean(0)
    largest = np.argsort(-value, kind="stable")[:MAX_COLUMNS]
    w = bootstrap_weights(None, len(per_row), RESAMPLES, seed)
    samples = w @ per_row[:, largest] / len(per_row)
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    return pd.DataFrame(
        {
            "column": [columns[i] for i in largest],
            "value": value[largest],
            "low": low,
            "high": high,
            "direction": 0,
            "method": method,
        }
    )


def _direction(contribution: pd.Series, rows: pd.DataFrame) -> int:
    values = rows.get(contribution.name)
    if values is None:
        return int(np.sign(contribution.sum()))
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() < 2 or contribution.nunique() < 2:
        return 0
    together = values.corr(contribution, method="spearman")
    return int(np.sign(together)) if abs(together) > 0.5 else 0


def _shuffled(predictor: Predictor, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    random, y, players = np.random.default_rng(seed), rows["label"].to_numpy(), _players(predictor)
    before, rises = _losses(predictor, rows, y), []
    for column in players:
        orders, moved = [random.permutation(len(rows)) for _ in range(REPEATS)], _together(predictor, column)
        trials = [_moved(rows, moved, order) for order in orders]
        rises.append(np.mean([_losses(predictor, t, y) for t in trials], axis=0) - before)
    return _summary(_titles(predictor), np.stack(rises, axis=1), "rise of log-loss when shuffled", seed)[_ORDER]


def _moved(rows: pd.DataFrame, columns: list[str], order: NDArray[np.int64]) -> pd.DataFrame:
    rows = rows.copy()
    for column in columns:  # not `assign`: a column may be named self
        rows[column] = rows[column].to_numpy()[order]
    return rows


def _left_out(predictor: Predictor, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Change of the log-odds by leaving each word out, over as many rows as the budget of evaluations allows."""
    words = [sorted(set(WORD.findall(str(t).lower()))) for t in rows["text"]]
    some = max(1, int(np.searchsorted(np.cumsum([len(w) for w in words]), LEFT_OUT)))
    which = np.repeat(np.arange(some), [len(w) for w in words[:some]])
    vocabulary, place = np.unique([w for found in words[:some] for w in found], return_inverse=True)
    start = model_inputs(rows.head(some))
    texts = [_without(str(start["text"].iloc[i]), str(vocabulary[j])) for i, j in zip(which, place, strict=True)]
    change = np.zeros((some, len(vocabulary)))
    if texts:
        shorter = start.iloc[which].assign(text=texts)
        change[which, place] = _log_odds(predictor, start)[which] - _log_odds(predictor, shorter)
    found = _summary(list(map(str, vocabulary)), np.abs(change), "change when the word is left out", seed)
    towards = dict(zip(map(str, vocabulary), np.sign(change.sum(0)).astype(int), strict=True))
    return found.assign(direction=[towards[c] for c in found["column"]])[_ORDER]


def _without(text: str, word: str) -> str:
    return _spaced(WORD.sub(lambda found: "" if found[0].lower() == word else found[0], text))


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _losses(predictor: Predictor, rows: pd.DataFrame, y: NDArray[np.int64]) -> Array:
    z = _log_odds(predictor, rows)
    return np.logaddexp(0.0, np.where(y == 1, -z, z))


def _log_odds(predictor: Predictor, rows: pd.DataFrame) -> Array:
    return logit(predictor.draws(rows).mean(0))


def _players(predictor: Predictor) -> list[str]:
    """Columns that can contribute: the inputs, and the group if it is not one of them."""
    schema = predictor.info.schema_
    apart = schema.group is not None and internal_name(schema.group) not in schema.names()
    return [*schema.names(), "group"] if apart else schema.names()


def _titles(predictor: Predictor) -> list[str]:
    group = predictor.info.schema_.group
    return [group if c == "group" and group is not None else original_name(c) for c in _players(predictor)]


def _together(predictor: Predictor, column: str) -> list[str]:
    """Columns that change with this one: the group is a copy of the input column that it was made from."""
    group = predictor.info.schema_.group
    return [column, "group"] if group is not None and internal_name(group) == column else [column]


def _background(predictor: Predictor) -> pd.DataFrame:
    rows = max(2, min(BACKGROUND_ROWS, EVALUATIONS // (len(_players(predictor)) + 1)))
    return predictor.reference.head(rows)


def _columns(predictor: Predictor, row: pd.DataFrame, seed: int) -> Explanation:
    """Walk from every background row to this one by replacing columns in random order; average the steps."""
    players, background = _players(predictor), _background(predictor)
    mask = _walks(len(background), len(players), seed)
    start = np.repeat(np.arange(len(background)), len(players) + 1)
    mixed = background.iloc[start].reset_index(drop=True)
    for j, column in enumerate(players):
        for c in _together(predictor, column):
            mixed[c] = mixed[c].where(~mask[:, j], row[c].iloc[0])
    values = _log_odds(predictor, mixed).reshape(len(background), -1)
    return _sorted(list(zip(_titles(predictor), _steps(mask, values), strict=True)))


def _phrases(predictor: Predictor, row: pd.DataFrame, seed: int) -> Explanation:
    """Walk from the empty text to this one by adding phrases in random order; the empty text has its own name."""
    words = SPACED_WORD.findall(_spaced(str(row["text"].iloc[0])))
    phrases = ["".join(part) for part in np.array_split(np.array(words, dtype=object), min(len(words), PHRASES) or 1)]
    mask = _walks(ORDERS, len(phrases), seed)
    texts = ["".join(p for p, there in zip(phrases, present, strict=True) if there).strip() for present in mask]
    walked = pd.concat([row] * len(texts), ignore_index=True).assign(text=texts)
    values = _log_odds(predictor, walked).reshape(ORDERS, -1)
    nothing = (WORDLESS, float(values[:, 0].mean()) - reference_mean(predictor))
    return _sorted([nothing, *zip(map(str.strip, phrases), _steps(mask, values), strict=True)])


def _walks(walks: int, players: int, seed: int) -> NDArray[np.bool_]:
    """Which players have joined after each step, shape (walks * (players + 1), players).

    Every second walk goes through the order of the one before it backwards.
    """
    random = np.random.default_rng(seed)
    places = np.argsort(random.random(((walks + 1) // 2, players)), axis=1)
    joins = np.stack([places, players - 1 - places], axis=1).reshape(-1, players)[:walks]
    return (np.arange(players + 1)[None, :, None] > joins[:, None, :]).reshape(-1, players)


def _steps(mask: NDArray[np.bool_], values: Array) -> list[float]:
    """Mean rise of the value when each player joins; `values` has shape (walks, players + 1)."""
    joined = np.diff(mask.reshape(*values.shape, -1).astype(np.int8), axis=1) == 1
    total = np.einsum("ws,wsp->p", np.diff(values, axis=1), joined.astype(float))
    return [float(v) for v in total / len(values)]


def _sorted(found: Explanation) -> Explanation:
    return sorted(((c, float(v)) for c, v in found), key=lambda pair: -abs(pair[1]))
