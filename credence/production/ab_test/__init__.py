"""A/B test of challenger against champion on real traffic; valid at every look (anytime-valid test)."""

import numpy as np
import pandas as pd

from credence.core.errors import InputError
from credence.production.ab_test.paired_answers import SIDES, Unit, log_loss_gains, mean_per_unit, pair_answers
from credence.production.ab_test.result import ABTestResult, IntervalEstimate, Recommendation
from credence.statistics.confidence_sequence import BettingWealth, betting_wealth
from credence.statistics.uncertainty import Array

__all__ = ["ABTestResult", "IntervalEstimate", "Recommendation", "compare_on_traffic", "pair_answers"]
MIN_ROWS_TO_KEEP = 500
MAX_EXTRAPOLATION = 1000.0
DAY = pd.Timedelta(days=1)


def compare_on_traffic(
    frame: pd.DataFrame, alpha: float = 0.05, margin: float = 0.01, unit: Unit = "request"
) -> ABTestResult:
    """Compare champion and challenger.

    The recommendation is promote if the challenger is significantly better, keep if a gain of `margin` is ruled out,
    and wait otherwise. The probability of a wrong recommendation is at most `alpha` over all looks together.

    Args:
        frame: The table of `pair_answers`.
        alpha: Error rate, between 0 and 1.
        margin: Least gain of log-loss in nats that is worth a promotion; above 0.
        unit: The unit that counts as independent.

    Raises:
        InputError: There is no paired row, or `alpha` or `margin` is out of range.
    """
    _refuse(frame, alpha, margin)
    labelled = frame[frame["truth"].notna()]
    better, worse = evidence(labelled, unit)
    possible = float(np.maximum(*log_loss_gains(frame)).mean())
    advice = _advice(better, worse, len(frame), possible, alpha, margin)
    more = _more(better, worse, len(labelled), alpha, margin) if advice == "wait" else None
    return ABTestResult(
        task=str(frame["task"].iloc[-1]),
        **{side: str(frame[side].iloc[-1]) for side in SIDES},
        rows=len(frame),
        repeats=int(frame["copies"].sum()) - len(frame),
        labelled=len(labelled),
        units=better.units,
        unit=unit,
        alpha=alpha,
        margin=margin,
        disagreement=_mean(frame, frame["disagree"].to_numpy(float), unit, alpha),
        shift=_mean(frame, (frame["p_challenger"] - frame["p_champion"]).abs().to_numpy(), unit, alpha),
        possible=possible,
        gain=_gain(labelled, better, worse, unit, alpha) if len(labelled) else None,
        p_value=min(1.0, 2 * float(np.exp(-max(better.log(), worse.log())))),
        more=more,
        days=_days(labelled, more),
        recommendation=advice,
    )


def evidence(labelled: pd.DataFrame, unit: Unit) -> tuple[BettingWealth, BettingWealth]:
    """Betting wealth for a better and for a worse challenger on the labelled rows (Waudby-Smith & Ramdas 2024)."""
    gain, least, most = differences(labelled, unit)
    [better], [worse] = betting_wealth(gain, least), betting_wealth(-gain, -most)
    return better, worse


def differences(labelled: pd.DataFrame, unit: Unit) -> list[Array]:
    """Per unit: the challenger's gain in nats, and its least and largest possible value."""
    no, yes = log_loss_gains(labelled)
    gain = np.where(labelled["truth"].to_numpy(float) == 1, yes, no)
    return mean_per_unit(labelled, unit, gain=gain, least=np.minimum(no, yes), most=np.maximum(no, yes))


def _advice(
    better: BettingWealth, worse: BettingWealth, rows: int, possible: float, alpha: float, margin: float
) -> Recommendation:
    if better.log() >= np.log(2 / alpha):
        return "promote"
    if worse.log(-margin) >= np.log(2 / alpha) or (rows >= MIN_ROWS_TO_KEEP and possible < margin):
        return "keep"
    return "wait"


def _refuse(frame: pd.DataFrame, alpha: float, margin: float) -> None:
    if frame.empty:
        raise InputError("champion and challenger have answered no row in common; wait for more traffic.")
    if not 0 < alpha < 1:
        raise InputError(
            f"alpha is {alpha:g}; expected the probability of a wrong decision, between 0 and 1, such as 0.05."
        )
    if not margin > 0:
        raise InputError(f"margin is {margin:g}; expected nats of log-loss above 0, such as 0.01.")


def _gain(
    labelled: pd.DataFrame, better: BettingWealth, worse: BettingWealth, unit: Unit, alpha: float
) -> IntervalEstimate:
    value = float(differences(labelled, unit)[0].mean())
    return IntervalEstimate(value=value, low=better.bound(alpha / 2), high=-worse.bound(alpha / 2))


def _mean(frame: pd.DataFrame, share: Array, unit: Unit, alpha: float) -> IntervalEstimate:
    """Mean of a quantity in [0, 1] that is known without labels."""
    [values] = mean_per_unit(frame, unit, share=share)
    [above], [below] = (
        betting_wealth(v, np.full(len(v), least), unseen=0) for v, least in ((values, 0.0), (-values, -1.0))
    )
    low, high = above.bound(alpha / 2), -below.bound(alpha / 2)
    return IntervalEstimate(value=float(values.mean()), low=max(low, 0.0), high=min(high, 1.0))


def _more(better: BettingWealth, worse: BettingWealth, labelled: int, alpha: float, margin: float) -> int | None:
    """Labelled rows until a decision if the next rows are like these; None if they would not lead to one."""
    wanted, times = np.log(2 / alpha), np.geomspace(1, MAX_EXTRAPOLATION, 400)
    for t in times if labelled else ():
        if better.log(0, t) >= wanted or worse.log(-margin, t) >= wanted:
            return max(int(labelled * (t - 1)), 1)
    return None


def _days(labelled: pd.DataFrame, more: int | None) -> float | None:
    took = labelled["answered_at"].max() - labelled["answered_at"].min() if more is not None else pd.Timedelta(0)
    return None if more is None or not took > pd.Timedelta(0) else float(more / len(labelled) * (took / DAY))
