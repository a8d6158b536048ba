"""Which candidate challenges: the lowest log-loss on rows that it has not learned from, none of them test rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from credence.calibration import log_loss
from credence.predictor import Predictor
from credence.uncertainty import Array


def choose(contenders: Sequence[Predictor], train: pd.DataFrame, calibration: pd.DataFrame) -> list[float]:
    """The calibrated log-loss of every contender, in nats per row, over the calibration rows.

    Where every contender kept out-of-fold probabilities, training rows count too: a fifth of a small table is noise.
    """
    parts = [(p.draws(calibration).mean(0), calibration["label"].to_numpy()) for p in contenders]
    unseen = [_out_of_fold(p) for p in contenders]
    if any(u is None for u in unseen):
        return [log_loss(p, y) for p, y in parts]
    y = train["label"].to_numpy()
    return [
        log_loss(np.concatenate([p, u]), np.concatenate([c, y]))
        for (p, c), u in zip(parts, unseen, strict=True)
        if u is not None
    ]


def _out_of_fold(predictor: Predictor) -> Array | None:
    raw = predictor.model.out_of_fold()
    return None if raw is None else predictor.facts.scaling(raw[None, :])[0]
