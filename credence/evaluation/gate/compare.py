"""Two predictors before the gate: what each answers on the same rows, and what those rows remember."""

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
    """The verdict on the challenger, and the looks after it. A champion that cannot answer these rows is said so."""
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
    verdict = judge(ours, theirs, rows, challenger.facts.base_rate, gate, before, seen, unanswerable, more)
    looked = verdict.looks > before
    return verdict, looks.after(rows["row_id"], ours.digest, opponent) if looked else looks


def failed_check_guards(findings: Findings) -> list[Guard]:
    """A failed guard for every error among the findings: figures on such rows want a person's look."""
    return [Guard(name="checks", ok=False, message=f.message) for f in findings.findings if f.level == "error"]


def convergence_guards(challenger: Predictor) -> list[Guard]:
    """A failed guard where figures of the challenger's sampler are beyond their bounds."""
    beyond = [found for found in challenger.model.training_record().diagnostics if not found.kept]
    figures = ", ".join(f"{found.name} is {found.value:.4g} (expected {found.bound})" for found in beyond)
    message = f"the chains have not converged: {figures}; give the model more warmup, samples or chains, or more rows"
    return [Guard(name="sampling", ok=False, message=message)] if beyond else []


def predict_side(predictor: Predictor, rows: pd.DataFrame) -> Side:
    """What the gate needs to know of a predictor's answers to these rows."""
    p, conformal = predictor.draws(rows).mean(0), predictor.facts.conformal
    return Side(
        p=p,
        yes=p >= predictor.facts.threshold,
        sets=conformal.sets(p),
        milliseconds=milliseconds(predictor, rows),
        digest=predictor.digest(),
        alpha=conformal.alpha,
        calibrated_on=(len(conformal.no), len(conformal.yes)),
    )


def milliseconds(predictor: Predictor, rows: pd.DataFrame) -> float:
    """Median milliseconds that one row alone takes, over the first rows."""
    taken = []
    for i in range(min(TIMED_ROWS, len(rows))):
        start = time.perf_counter()
        predictor.predict(rows.iloc[[i]])
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))
