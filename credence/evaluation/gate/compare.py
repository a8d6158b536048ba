"""Compare two predictors on the same test rows and record that the rows were used."""

import time

import numpy as np
import pandas as pd

from credence.core.errors import InputError
from credence.data.checks import Findings
from credence.evaluation.gate import Gate, Guard, Side, Verdict, judge
from credence.evaluation.gate.verdict import TestSetUsage
from credence.predictor import Predictor

TIMED_ROWS = 20


def compare_predictors(
    challenger: Predictor,
    champion: Predictor | None,
    rows: pd.DataFrame,
    gate: Gate,
    looks: TestSetUsage,
    findings: Findings,
) -> tuple[Verdict, TestSetUsage]:
    """Judge the challenger against the champion on the test rows.

    Args:
        challenger: The calibrated challenger.
        champion: The predictor in production; None if there is none.
        rows: Canonical test rows.
        gate: The rules.
        looks: Earlier use of the test rows.
        findings: What the checks found in the rows; errors become failed guards.

    Returns:
        The verdict, which says if the champion cannot answer the rows, and the use of the test rows after it.
    """
    ours, theirs, unanswerable = predict_side(challenger, rows), None, None
    try:
        theirs = None if champion is None else predict_side(champion, rows)
    except InputError as error:
        unanswerable = (
            f"The champion cannot answer today's rows: {str(error).rstrip('.')}. Bring its columns back, or archive "
            "the champion's version and train again."
        )
    seen = None if champion is None else champion.was_trained_on(rows)
    opponent = None if champion is None else champion.digest()
    before = looks.before(rows["row_id"], ours.digest, opponent)
    more = failed_check_guards(findings) + convergence_guards(challenger)
    verdict = judge(ours, theirs, rows, challenger.info.base_rate, gate, before, seen, unanswerable, more)
    looked = verdict.looks > before
    return verdict, looks.after(rows["row_id"], ours.digest, opponent) if looked else looks


def failed_check_guards(findings: Findings) -> list[Guard]:
    """One failed guard for every error among the findings."""
    return [Guard(name="checks", ok=False, message=f.message) for f in findings.findings if f.level == "error"]


def convergence_guards(challenger: Predictor) -> list[Guard]:
    """A failed guard if a diagnostic of the challenger's sampler is out of its bound; else an empty list."""
    beyond = [found for found in challenger.model.training_record().diagnostics if not found.kept]
    figures = ", ".join(f"{found.name} is {found.value:.4g} (expected {found.bound})" for found in beyond)
    message = f"the chains have not converged: {figures}; give the model more warmup, samples or chains, or more rows"
    return [Guard(name="sampling", ok=False, message=message)] if beyond else []


def predict_side(predictor: Predictor, rows: pd.DataFrame) -> Side:
    """The predictor's answers on the rows, as the gate reads them."""
    p, conformal = predictor.draws(rows).mean(0), predictor.info.conformal
    return Side(
        p=p,
        yes=p >= predictor.info.threshold,
        sets=conformal.sets(p),
        milliseconds=milliseconds(predictor, rows),
        digest=predictor.digest(),
        alpha=conformal.alpha,
        calibrated_on=(len(conformal.no), len(conformal.yes)),
    )


def milliseconds(predictor: Predictor, rows: pd.DataFrame) -> float:
    """Median milliseconds of `predict` on a single row, over the first 20 rows."""
    taken = []
    for i in range(min(TIMED_ROWS, len(rows))):
        start = time.perf_counter()
        predictor.predict(rows.iloc[[i]])
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))
