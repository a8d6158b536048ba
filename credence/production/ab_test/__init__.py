"""Is the challenger better on real traffic? A comparison that may be looked at any time."""

import numpy as np
import pandas as pd

from credence.core.errors import InputError
from credence.production.ab_test.paired_answers import SIDES, Unit, log_loss_gains, mean_per_unit, pair_answers
from credence.production.ab_test.result import ABTestResult, IntervalEstimate, Recommendation
from credence.statistics.confidence_sequence import BettingWealth, betting_wealth
from credence.statistics.uncertainty import Array

__all__ = ["ABTestResult", "IntervalEstimate", "Recommendation", "compare_on_traffic", "pair_answers"]
ENOUGH = 500
PATIENCE = 1000.0
DAY = pd.Timedelta(days=1)


def compare_on_traffic(
    frame: pd.DataFrame, alpha: float = 0.05, margin: float = 0.01, unit: Unit = "request"
) -> ABTestResult:
    """Champion against challenger on what `pair_answers` made of the log.

    Promote: surely better. Keep: surely not better by `margin`. Wait: neither yet. The chance of a wrong recommendation
    is at most `alpha` over all looks together.
    """
    _refuse(frame, alpha, margin)
    told = frame[frame["truth"].notna()]
    better, worse = evidence(told, unit)
    possible = float(np.maximum(*log_loss_gains(frame)).mean())
    advice = _advice(better, worse, len(frame), possible, alpha, margin)
    more = _more(better, worse, len(told), alpha, margin) if advice == "wait" else None
    return ABTestResult(
        task=str(frame["task"].iloc[-1]),
        **{side: str(frame[side].iloc[-1]) for side in SIDES},
        rows=len(frame),
        repeats=int(frame["copies"].sum()) - len(frame),
        labelled=len(told),
        units=better.units,
        unit=unit,
        alpha=alpha,
        margin=margin,
        disagreement=_mean(frame, frame["disagree"].to_numpy(float), unit, alpha),
        shift=_mean(frame, (frame["p_challenger"] - frame["p_champion"]).abs().to_numpy(), unit, alpha),
        possible=possible,
        gain=_gain(told, better, worse, unit, alpha) if len(told) else None,
        p_value=min(1.0, 2 * float(np.exp(-max(better.log(), worse.log())))),
        more=more,
        days=_days(told, more),
        recommendation=advice,
    )


def evidence(told: pd.DataFrame, unit: Unit) -> tuple[BettingWealth, BettingWealth]:
    """The wealth that bets on a better and on a worse challenger have come to on the labelled rows."""
    gain, least, most = differences(told, unit)
    [better], [worse] = betting_wealth(gain, least), betting_wealth(-gain, -most)
    return better, worse


def differences(told: pd.DataFrame, unit: Unit) -> list[Array]:
    """Per unit: the challenger's gain, and the least and the most that it could have been."""
    no, yes = log_loss_gains(told)
    gain = np.where(told["truth"].to_numpy(float) == 1, yes, no)
    return mean_per_unit(told, unit, gain=gain, least=np.minimum(no, yes), most=np.maximum(no, yes))


def _advice(
    better: BettingWealth, worse: BettingWealth, rows: int, possible: float, alpha: float, margin: float
) -> Recommendation:
    if better.log() >= np.log(2 / alpha):
        return "promote"
    if worse.log(-margin) >= np.log(2 / alpha) or (rows >= ENOUGH and possible < margin):
        return "keep"
    return "wait"


def _refuse(frame: pd.DataFrame, alpha: float, margin: float) -> None:
    if frame.empty:
        raise InputError("there is no row that champion and challenger both answered; wait for more traffic.")
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha:g}; expected the chance of a wrong decision, between 0 and 1, such as 0.05.")
    if not margin > 0:
        raise InputError(f"margin is {margin:g}; expected nats of log-loss above 0, such as 0.01.")


def _gain(
    told: pd.DataFrame, better: BettingWealth, worse: BettingWealth, unit: Unit, alpha: float
) -> IntervalEstimate:
    value = float(differences(told, unit)[0].mean())
    return IntervalEstimate(value=value, low=better.bound(alpha / 2), high=-worse.bound(alpha / 2))


def _mean(frame: pd.DataFrame, share: Array, unit: Unit, alpha: float) -> IntervalEstimate:
    """The mean of what lies between 0 and 1, known without any truth."""
    [values] = mean_per_unit(frame, unit, share=share)
    [above], [below] = (
        betting_wealth(v, np.full(len(v), least), unseen=0) for v, least in ((values, 0.0), (-values, -1.0))
    )
    low, high = above.bound(alpha / 2), -below.bound(alpha / 2)
    return IntervalEstimate(value=float(values.mean()), low=max(low, 0.0), high=min(high, 1.0))


def _more(better: BettingWealth, worse: BettingWealth, labelled: int, alpha: float, margin: float) -> int | None:
    """Labelled rows until either side is sure if rows go on as they did; None where they would never be, or none is."""
    wanted, times = np.log(2 / alpha), np.geomspace(1, PATIENCE, 400)
    for t in times if labelled else ():
        if better.log(0, t) >= wanted or worse.log(-margin, t) >= wanted:
            return max(int(labelled * (t - 1)), 1)
    return None


def _days(told: pd.DataFrame, more: int | None) -> float | None:
    took = told["answered_at"].max() - told["answered_at"].min() if more is not None else pd.Timedelta(0)
    return None if more is None or not took > pd.Timedelta(0) else float(more / len(told) * (took / DAY))
