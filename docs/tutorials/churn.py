"""Customers of an invented telephone company, for the tutorial first-model.md.

python docs/tutorials/churn.py churn.csv              # 2,000 customers with their answer
python docs/tutorials/churn.py new.csv --seed 2       # other customers
python docs/tutorials/churn.py --send http://127.0.0.1:3000                  # ask a service, then post feedback
python docs/tutorials/churn.py --send http://127.0.0.1:3000 --fees-doubled   # the same after prices went up
"""

import argparse
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

CHUNK_ROWS = 100


def customers(rows: int, seed: int, fees_doubled: bool = False) -> pd.DataFrame:
    """One row per customer; `churned` follows a logistic rule plus chance.

    The same seed gives the same table. `fees_doubled` doubles `monthly_fee` after the rule has spoken.
    """
    rng = np.random.default_rng(seed)
    plan = rng.choice(["basic", "plus", "family"], rows, p=[0.5, 0.3, 0.2])
    table = pd.DataFrame(
        {
            "customer": [f"C{seed:02d}-{i:05d}" for i in range(rows)],
            "plan": plan,
            "months": rng.gamma(2.0, 12.0, rows).round().astype(int),
            "monthly_fee": (
                pd.Series(plan).map({"basic": 12, "plus": 25, "family": 40}) + rng.normal(0, 3, rows)
            ).round(2),
            "support_calls": rng.poisson(1.2, rows),
            "late_payments": rng.poisson(0.5, rows),
            "data_gb": rng.lognormal(1.5, 0.7, rows).round(1),
            "paperless": rng.choice(["yes", "no"], rows, p=[0.6, 0.4]),
        }
    )
    log_odds = (
        -3.4
        - 0.06 * table["months"]
        + 0.11 * table["monthly_fee"]
        + 1.2 * table["support_calls"]
        + 1.0 * table["late_payments"]
        - 0.8 * (table["paperless"] == "yes")
    )
    table["churned"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-log_odds)), "yes", "no")
    if fees_doubled:
        table["monthly_fee"] = (2 * table["monthly_fee"]).round(2)
    return table


def send(url: str, table: pd.DataFrame) -> None:
    """Ask the service about every row, then post the true answers to `/feedback`."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for start in range(0, len(table), CHUNK_ROWS):
            rows = table.iloc[start : start + CHUNK_ROWS]
            inputs = rows.drop(columns=["customer", "churned"]).to_dict("records")
            answer = client.post("/batch_predict", json={"rows": inputs}).raise_for_status()
            request = answer.headers["x-request-id"]
            truth = [{"request_id": request, "row": i, "label": label} for i, label in enumerate(rows["churned"])]
            client.post("/feedback", json={"feedback": truth}).raise_for_status()
    print(f"{len(table):,} customers asked and their answers told")


def main() -> None:
    """Write a table or send its rows to a service."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="the CSV to write")
    parser.add_argument("--send", metavar="URL", help="the service to ask instead")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fees-doubled", action="store_true", help="every fee is twice as high")
    args = parser.parse_args()
    table = customers(args.rows, args.seed, args.fees_doubled)
    if args.send:
        send(args.send, table)
    elif args.file:
        table.to_csv(args.file, index=False)
        print(f"{args.file}: {len(table):,} customers, {(table['churned'] == 'yes').mean():.0%} churned")
    else:
        parser.error("name a file to write, or --send URL")


if __name__ == "__main__":
    main()
