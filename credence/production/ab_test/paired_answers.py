"""Both predictors' answers on the same rows, one line per row, in the order in which labels arrived."""

from typing import Literal

import numpy as np
import pandas as pd

from credence.core.errors import InputError
from credence.statistics.uncertainty import MIN_PROBABILITY, Array

SIDES = ("champion", "challenger")
ENDS = ("_champion", "_challenger")
PLACE = ["request_id", "row"]
TAKEN = [*PLACE, "inputs", "task", "group", "time", "role", "version", "label", "probability", "truth", "answered_at"]
Unit = Literal["request", "row"]


def pair_answers(log: pd.DataFrame, once: bool = True) -> pd.DataFrame:
    """Rows that the newest champion and the newest challenger both answered, labelled ones first.

    Args:
        log: Predictions joined with their feedback.
        once: Count rows of equal content once, with their first label: retries, test calls and daily repeats are no new
            evidence. Set it to False where few columns make unrelated rows equal. The column `copies` holds the counts.

    Raises:
        InputError: A column is missing, or the two have no row in common.
    """
    _refuse_incomplete(log)
    both = _newest(_joined(log))
    both["disagree"] = both["label_champion"] != both["label_challenger"]
    both["p_champion"], both["p_challenger"] = (both.pop(f"probability_{side}").astype(float) for side in SIDES)
    content = _content(both) if once else pd.Series(np.arange(len(both)), index=both.index)
    both["copies"] = content.groupby(content).transform("size")
    both = both.drop(columns=[c for c in both if str(c).startswith(("inputs_", "label_"))] + ["group"])
    order = both.assign(content=content).sort_values(["answered_at", "time"], na_position="last", kind="stable")
    return order.drop_duplicates("content").drop(columns="content").reset_index(drop=True)


def _refuse_incomplete(log: pd.DataFrame) -> None:
    if absent := [c for c in TAKEN if c not in log]:
        raise InputError(f"the log has no column {absent[0]!r}; pass predictions joined with their feedback.")
    for side in SIDES:
        if not (log["role"] == side).any():
            raise InputError(f"the log holds no answer of a {side}; start a challenger and send traffic first.")


def _joined(log: pd.DataFrame) -> pd.DataFrame:
    times = {c: pd.to_datetime(log[c], utc=True) for c in ("time", "answered_at")}
    log = log[TAKEN].assign(inputs=log["inputs"].fillna(""), **times).sort_values("time", kind="stable")
    ours, theirs = (_answers_of(log, side) for side in SIDES)
    both = ours.merge(theirs[[*PLACE, "inputs", "version", "label", "probability"]], on=PLACE, suffixes=ENDS)
    if both.empty:
        raise InputError("the champion and the challenger answered no row in common; wait for more traffic.")
    return both.rename(columns={f"version_{side}": side for side in SIDES})


def _answers_of(log: pd.DataFrame, side: str) -> pd.DataFrame:
    """One predictor's last answer on every row, without rows of an id that was used for different inputs."""
    own = log[log["role"] == side]
    alike = own.groupby(PLACE)["inputs"].transform("nunique") == 1
    return own[alike].drop_duplicates(PLACE, keep="last").drop(columns="role")


def _newest(both: pd.DataFrame) -> pd.DataFrame:
    sides = list(SIDES)
    last = both.sort_values("time", kind="stable")[sides].iloc[-1]
    return both[(both[sides] == last).all(axis=1)].copy()


def _content(both: pd.DataFrame) -> pd.Series:
    """What both predictors read; a row whose inputs are not in the log is unique."""
    alone = both["request_id"].astype(str) + "/" + both["row"].astype(str)
    read = both["inputs_champion"] + "\n" + both["inputs_challenger"]
    return read.where(both["inputs_champion"] != "", alone) + "\n" + both["group"].astype(str)


def log_loss_gains(frame: pd.DataFrame) -> tuple[Array, Array]:
    """Decrease of the log-loss by the challenger in nats, per row, if the label is no and if it is yes."""
    ours, theirs = (np.clip(frame[f"p_{side}"].to_numpy(float), MIN_PROBABILITY, 1 - MIN_PROBABILITY) for side in SIDES)
    return np.log1p(-theirs) - np.log1p(-ours), np.log(theirs) - np.log(ours)


def mean_per_unit(frame: pd.DataFrame, unit: Unit, **columns: Array) -> list[Array]:
    """The mean of each of `columns` (one value per row) in every unit, in the order of the frame.

    Rows of one request often belong together (the tests of one patient), so a request is one unit.
    """
    table = pd.DataFrame(columns)
    if unit == "row":
        return [table[c].to_numpy() for c in table]
    means = table.groupby(frame["request_id"].to_numpy(), sort=False).mean()
    return [means[c].to_numpy() for c in means]
