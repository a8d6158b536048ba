"""A year of operation in a few minutes: python docs/tutorials/operate.py

Serves the champion of breast_cancer, sends rows, changes what two columns hold, tells the truth about them, and lets
monitoring find it out: quiet first, then drift; training on what came back; the gate; and the service that swaps.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd
from sklearn.datasets import load_breast_cancer

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from bentos.packaging.local_server import serve_locally  # noqa: E402

ROWS, AT_ONCE = 5000, 100
SHIFTED = {"worst texture": 2.0, "worst concave points": 2.0}
MODELS = "models=[{kind: logistic}, {kind: hist_gradient_boosting, folds: 2}]"
ANSWERS = ["malignant", "benign"]  # as scikit-learn numbers them


def run(*arguments: str) -> str:
    """One command, shown as it is typed; what it printed."""
    print(f"\n$ python run.py {' '.join(arguments)}", flush=True)
    command = [sys.executable, "run.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def traffic(seed: int, shift: dict[str, float]) -> pd.DataFrame:
    """So many patients, drawn with replacement; columns are moved by so many standard deviations."""
    table = load_breast_cancer(as_frame=True).frame
    moved = table.assign(**{c: table[c] + by * table[c].std() for c, by in shift.items()})
    return moved.sample(ROWS, replace=True, random_state=seed)


def send(url: str, patients: pd.DataFrame) -> None:
    """Ask about every row, then say what it was."""
    started = time.monotonic()
    with httpx.Client(base_url=url, timeout=60) as client:
        for rows in pieces(patients):
            body = {"rows": rows.drop(columns="target").to_dict("records")}
            asked = client.post("/batch_predict", json=body).raise_for_status()
            told = [
                {"request_id": asked.headers["x-request-id"], "row": i, "label": ANSWERS[answer]}
                for i, answer in enumerate(rows["target"])
            ]
            client.post("/feedback", json={"feedback": told}).raise_for_status()
    print(f"  {len(patients):,} rows asked and answered, truth told, in {time.monotonic() - started:.1f} s", flush=True)


def pieces(patients: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(patients), AT_ONCE):
        yield patients.iloc[start : start + AT_ONCE]


def now() -> str:
    """This moment, as --since and --until take it; a second later, so that the log holds all that was answered."""
    time.sleep(1)
    return datetime.now(UTC).isoformat()


def version(url: str) -> str:
    """The predictor that answers there."""
    return str(httpx.get(f"{url}/health").json()["version"])


def main() -> None:
    """The whole story; ends with exit code 1 where it does not come out as told."""
    run("--set", MODELS)
    with serve_locally("credence:latest") as url:
        before = version(url)
        print(f"\nserving {before} at {url}\n\nordinary patients:")
        began = now()
        send(url, traffic(1, {}))
        between = now()
        first = run("--pipeline", "monitoring", "--since", began, "--until", between)
        print(f"{' and '.join(SHIFTED)} are measured differently from now on:")
        send(url, traffic(2, SHIFTED))
        second = run(
            "--pipeline",
            "monitoring",
            "--since",
            between,
            "--until",
            now(),
            "--set",
            "monitoring.retrain=true",
            "--set",
            MODELS,
        )
        after = version(url)
        print(f"\nserving {after} at {url}")
    run("--pipeline", "promotion", "--history")
    told = {
        "the first window is quiet": first.startswith("quiet"),
        "the second has drifted": second.startswith("drift"),
        "and names both columns": all(column in second.splitlines()[0] for column in SHIFTED),
        "a better champion was trained": "promote: " in second,
        "and the service answers with it": after != before,
    }
    for what, happened in told.items():
        print(f"{'yes' if happened else 'NO'}: {what}")
    sys.exit(0 if all(told.values()) else 1)


if __name__ == "__main__":
    main()
