"""Titles and sentences that the page and the card share."""

from credence.checks import Findings
from credence.gate.verdict import Verdict
from credence.metrics import METRICS
from credence.report import Report
from credence.report.wording import number, percent, plural
from credence.rows import raw_name

TITLES = {
    "ece": "calibration error, 15 equal bins (ECE)", "ece_equal_mass": "calibration error, 15 bins of equal mass",
    "calibration_error_debiased": "calibration error without binning noise (RMS)", "mce": "largest gap of a bin (MCE)",
    "calibration_slope": "slope (1 is ideal, below 1 overconfident)", "calibration_intercept": "intercept (0 is ideal)",
    "reliability": "reliability (lower is better)", "resolution": "resolution (higher is better)",
    "uncertainty": "uncertainty of the rows themselves", "within": "hidden within bins",
    "sensitivity": "sensitivity (recall)", "specificity": "specificity", "ppv": "positive predictive value (precision)",
    "npv": "negative predictive value",
    "misclassification_auroc": "errors told from right answers (AUROC)",
    "misclassification_auprc": "errors found (AUPRC)",
    "aurc": "AURC (lower is better)", "e_aurc": "E-AURC (lower is better)", "augrc": "AUGRC (lower is better)",
    "coverage_at_risk_1": "share answered with at most 1 % errors",
    "coverage_at_risk_5": "share answered with at most 5 % errors",
    "risk_at_coverage_80": "errors in the most certain 80 %",
    "risk_at_coverage_90": "errors in the most certain 90 %",
    "accuracy_at_review_5": "accuracy if a person answers 5 %",
    "accuracy_at_review_10": "accuracy if a person answers 10 %",
    "accuracy_at_review_20": "accuracy if a person answers 20 %",
}  # fmt: skip
HEADLINES = {"promote": "Promoted", "keep": "Not promoted", "hold": "On hold: a person decides"}


def headline(verdict: Verdict) -> str:
    """The outcome in two or three words."""
    return "The champion stays" if verdict.outcome == "keep" and verdict.champion else HEADLINES[verdict.outcome]


def calibrated(report: Report) -> str:
    """Whether the probabilities can be taken at their word."""
    inside, ece = report.calibration.within_chance(), number(report.calibration.errors["ece"].value)
    chance = number(report.calibration.chance.high)
    return (
        f"The calibration error of {ece} is {'inside' if inside else 'outside'} what binning noise alone gives a "
        f"perfectly calibrated predictor on {plural(report.rows, 'row')} (up to {chance} "
        f"in 19 of 20 cases): {'nothing here speaks against' if inside else 'take with care'} the probabilities."
    )


def missing(findings: Findings) -> list[tuple[str, float]]:
    """Columns with missing values under their raw names, with the share that is missing, the worst first."""
    return sorted(((raw_name(c), s) for c, s in findings.missing.items() if s > 0), key=lambda found: -found[1])


def recalibrated(report: Report) -> str:
    """What calibration did to log-loss."""
    raw, now = (number(m.value) for m in (report.calibration.raw_log_loss, report.scores["log_loss"]))
    return (
        f"Calibration left log-loss at {now}." if raw == now else f"Calibration changed log-loss from {raw} to {now}."
    )


def spent(verdict: Verdict) -> str:
    """How often these test rows have compared predictors, and what they are too few to see."""
    looks = plural(verdict.looks, "comparison") if verdict.looks else "no comparison"
    return (
        f"These test rows have served {looks} with a champion so far. A difference in {METRICS[verdict.metric].title} "
        f"under {number(verdict.detectable, 2)} would usually go unnoticed on them."
    )


def doubted(report: Report) -> str:
    """What the predictor says about its own doubt, and what asking a person would gain."""
    at, found = report.operating, report.selective["total"]
    wrong = at.false_yes + at.false_no
    if wrong == 0:
        return f"No answer of {report.rows:,} is wrong, so these rows cannot tell whether doubt finds errors."
    before, after = percent(1 - wrong / report.rows), percent(found["accuracy_at_review_10"].value)
    return (
        f"{plural(wrong, 'answer')} of {report.rows:,} {'is' if wrong == 1 else 'are'} wrong. "
        f"Were a person to answer the least certain tenth, accuracy would go from {before} to {after}. {_parts(report)}"
    )


def _parts(report: Report) -> str:
    told = report.uncertainty
    carry = f"Answers carry {number(told.total)} bits of uncertainty on average"
    if told.epistemic is None or told.aleatoric is None:
        return f"{carry}; one draw cannot say what of it is disagreement."
    return (
        f"{carry}, of which {number(told.epistemic)} are disagreement between {told.draws} draws (epistemic) "
        f"and {number(told.aleatoric)} lie in the rows (aleatoric)."
    )
