"""A log of a champion and a challenger with labels, as joining predictions and feedback gives it."""

import json

import numpy as np
import pandas as pd

from credence.statistics.uncertainty import sigmoid

START = pd.Timestamp("2026-01-01", tz="UTC")


def log(
    n: int = 400, champion: float = 0.8, challenger: float = 0.3, labelled: float = 1.0, batch: int = 1, seed: int = 0
) -> pd.DataFrame:
    """Rows with two noisy copies of their true log-odds; `batch` rows share a request, one request per minute."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.standard_normal(n) - 1
    truth = np.where(rng.random(n) < labelled, rng.random(n) < sigmoid(z), np.nan)
    time = START + pd.to_timedelta(np.arange(n) // batch, unit="min")
    shared = {
        "request_id": [f"r{i // batch}" for i in range(n)],
        "row": np.arange(n) % batch,
        "time": time,
        "task": "t",
        "group": "all",
        "inputs": [json.dumps({"x": float(x)}) for x in z],
        "truth": truth,
        "answered_at": (time + pd.Timedelta("1h")).where(~np.isnan(truth)),
    }
    sides = [("champion", "t:1", champion), ("challenger", "t:2", challenger)]
    return pd.concat(
        [_side(shared, role, version, sigmoid(z + s * rng.standard_normal(n))) for role, version, s in sides],
        ignore_index=True,
    )


def _side(
    shared: dict[str, object], role: str, version: str, p: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> pd.DataFrame:
    label = np.where(p >= 0.5, "yes", "no")
    return pd.DataFrame({**shared, "role": role, "version": version, "probability": p, "label": label})
