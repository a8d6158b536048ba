"""Both sides' answers about the same rows, one line per row, in the order in which the truth became known."""

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
    """The rows that the newest champion and the newest challenger both answered, labelled ones first.

    Rows of one content count once, with the first truth that became known: a retry, a test call or a row that is asked
    about every day brings no new evidence. `copies` says how many there were; `once=False` takes every row for its own,
    which is right where few columns make unrelated rows equal.
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
        raise InputError(f"the log has no column {absent[0]!r}; give predictions joined with their feedback.")
    for side in SIDES:
        if not (log["role"] == side).any():
            raise InputError(f"the log holds no answer of a {side}; give the service a challenger and traffic first.")


def _joined(log: pd.DataFrame) -> pd.DataFrame:
    times = {c: pd.to_datetime(log[c], utc=True) for c in ("time", "answered_at")}
    log = log[TAKEN].assign(inputs=log["inputs"].fillna(""), **times).sort_values("time", kind="stable")
    ours, theirs = (_of(log, side) for side in SIDES)
    both = ours.merge(theirs[[*PLACE, "inputs", "version", "label", "probability"]], on=PLACE, suffixes=ENDS)
    if both.empty:
        raise InputError("the champion and the challenger answered no row in common; wait for more traffic.")
    return both.rename(columns={f"version_{side}": side for side in SIDES})


def _of(log: pd.DataFrame, side: str) -> pd.DataFrame:
    """One side's last answer about every row; none where a caller gave one id to different rows."""
    own = log[log["role"] == side]
    alike = own.groupby(PLACE)["inputs"].transform("nunique") == 1
    return own[alike].drop_duplicates(PLACE, keep="last").drop(columns="role")


def _newest(both: pd.DataFrame) -> pd.DataFrame:
    sides = list(SIDES)
    last = both.sort_values("time", kind="stable")[sides].iloc[-1]
    return both[(both[sides] == last).all(axis=1)].copy()


def _content(both: pd.DataFrame) -> pd.Series:
    """What both sides read; a row whose inputs are not in the log is like no other."""
    alone = both["request_id"].astype(str) + "/" + both["row"].astype(str)
    read = both["inputs_champion"] + "\n" + both["inputs_challenger"]
    return read.where(both["inputs_champion"] != "", alone) + "\n" + both["group"].astype(str)


def log_loss_gains(frame: pd.DataFrame) -> tuple[Array, Array]:
    """By how many nats the challenger's log-loss is lower in every row if the truth is no, and if it is yes."""
    ours, theirs = (np.clip(frame[f"p_{side}"].to_numpy(float), MIN_PROBABILITY, 1 - MIN_PROBABILITY) for side in SIDES)
    return np.log1p(-theirs) - np.log1p(-ours), np.log(theirs) - np.log(ours)


def mean_per_unit(frame: pd.DataFrame, unit: Unit, **columns: Array) -> list[Array]:
    """The mean of each of `columns` (one value per row of the frame) in every unit, in the order of the frame.

    Rows of one request often belong together (one patient's tests, one day's orders), so they share one vote.
    """
    table = pd.DataFrame(columns)
    if unit == "row":
        return [table[c].to_numpy() for c in table]
    means = table.groupby(frame["request_id"].to_numpy(), sort=False).mean()
    return [means[c].to_numpy() for c in means]
