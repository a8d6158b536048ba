"""How the service fared in a window: abstentions, doubts, latency, versions, what the log lost."""

import numpy as np
import pandas as pd

from credence.familiar.wording import general
from credence.monitoring import Monitoring
from credence.monitoring.health import Operations

PARTS = 12


def operations(
    records: pd.DataFrame, versions: dict[str, int], yes: str, section: Monitoring, dropped: int, skipped: list[str]
) -> Operations:
    """Read it off the records of one version."""
    requests = records.drop_duplicates("request_id")
    taken = requests.loc[requests["source"] == "http", "latency_ms"].dropna().to_numpy(float)
    latency = {f"p{q}": float(np.quantile(taken, q / 100)) for q in (50, 95, 99)} if len(taken) else {}
    reasons = records["reasons"].map(lambda r: list(dict.fromkeys(map(general, r)))).explode().dropna().value_counts()
    return Operations(
        records=len(records), requests=len(requests), versions=versions, first=_spelled(records["time"].min()),
        last=_spelled(records["time"].max()), abstained=float(records["abstain"].mean()),
        yes=float((records["label"] == yes).mean()),
        strange={str(why): float(n) / len(records) for why, n in reasons.items()},
        latency_ms=latency, bound_ms=section.latency_ms, slow=latency.get("p95", 0.0) > section.latency_ms,
        dropped=dropped, skipped=skipped, answers=_over_time(records, yes),
    )  # fmt: skip


def _spelled(time: pd.Timestamp) -> str:
    return pd.Timestamp(time).isoformat(timespec="seconds")


def _over_time(records: pd.DataFrame, yes: str) -> dict[str, list[float]]:
    """Mean probability, share of yes and of abstentions over equal parts of the records."""
    parts = [p for p in np.array_split(np.arange(len(records)), min(PARTS, len(records))) if len(p)]
    p, said, abstained = records["probability"], records["label"] == yes, records["abstain"].astype(float)
    series = {"probability": p, "yes": said.astype(float), "abstained": abstained}
    return {name: [float(values.iloc[part].mean()) for part in parts] for name, values in series.items()}
