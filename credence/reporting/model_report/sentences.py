"""Titles and sentences that the page and the card share."""

from credence.data.checks import Findings
from credence.data.rows import original_name
from credence.evaluation.gate.verdict import Verdict
from credence.reporting.model_report.report import Report
from credence.reporting.number_format import format_number, format_percent, plural
from credence.statistics.metrics import METRICS

HEADLINES = {"promote": "Promoted", "keep": "Not promoted", "hold": "On hold: a person decides"}


def headline_sentence(verdict: Verdict) -> str:
    """The outcome in two or three words."""
    return "The champion stays" if verdict.outcome == "keep" and verdict.champion else HEADLINES[verdict.outcome]


def calibration_sentence(report: Report) -> str:
    """Whether the probabilities can be taken at their word."""
    inside, ece = report.calibration.within_chance(), format_number(report.calibration.errors["ece"].value)
    chance = format_number(report.calibration.chance.high)
    return (
        f"The calibration error of {ece} is {'inside' if inside else 'outside'} what binning noise alone gives a "
        f"perfectly calibrated predictor on {plural(report.rows, 'row')} (up to {chance} "
        f"in 19 of 20 cases): {'nothing here speaks against' if inside else 'take with care'} the probabilities."
    )


def missing_values_sentence(findings: Findings) -> list[tuple[str, float]]:
    """Columns with missing values under their raw names, with the share that is missing, the worst first."""
    return sorted(((original_name(c), s) for c, s in findings.missing.items() if s > 0), key=lambda found: -found[1])


def recalibration_sentence(report: Report) -> str:
    """What calibration did to log-loss."""
    raw, now = (format_number(m.value) for m in (report.calibration.raw_log_loss, report.scores["log_loss"]))
    return (
        f"Calibration left log-loss at {now}." if raw == now else f"Calibration changed log-loss from {raw} to {now}."
    )


def usage_sentence(verdict: Verdict) -> str:
    """How often these test rows have compared predictors, and what they are too few to see."""
    looks = plural(verdict.looks, "comparison") if verdict.looks else "no comparison"
    return (
        f"These test rows have served {looks} with a champion so far. A difference in {METRICS[verdict.metric].title} "
        f"under {format_number(verdict.detectable, 2)} would usually go unnoticed on them."
    )


def uncertainty_sentence(report: Report) -> str:
    """What the predictor says about its own doubt, and what asking a person would gain."""
    at, found = report.operating, report.selective["total"]
    wrong = at.false_yes + at.false_no
    if wrong == 0:
        return f"No answer of {report.rows:,} is wrong, so these rows cannot tell whether doubt finds errors."
    before, after = format_percent(1 - wrong / report.rows), format_percent(found["accuracy_at_review_10"].value)
    return (
        f"{plural(wrong, 'answer')} of {report.rows:,} {'is' if wrong == 1 else 'are'} wrong. "
        f"Were a person to answer the least certain tenth, accuracy would go from {before} to {after}. {_parts(report)}"
    )


def _parts(report: Report) -> str:
    told = report.uncertainty
    carry = f"Answers carry {format_number(told.total)} bits of uncertainty on average"
    if told.epistemic is None or told.aleatoric is None:
        return f"{carry}; one draw cannot say what of it is disagreement."
    return (
        f"{carry}, of which {format_number(told.epistemic)} are disagreement between {told.draws} draws (epistemic) "
        f"and {format_number(told.aleatoric)} lie in the rows (aleatoric)."
    )


def code_length_sentence(report: Report) -> str:
    """How many bits it takes to send the answers of the test rows, with the predictor and without; and those of the
    training rows block by block, with each candidate that was measured so."""
    code = report.code
    if code is None:
        return ""
    weights = "" if code.model is None else f", and another {format_number(code.model)} for its weights"
    saved = f"saves {format_percent(code.saved)}" if code.saved >= 0 else f"costs {format_percent(-code.saved)} more"
    return (
        f"To send the answers of these {plural(report.rows, 'row')} takes {format_number(code.data)} bits with the "
        f"predictor ({format_number(code.data / report.rows)} a row){weights}; knowing only the share of "
        f"{report.answers[1]} it takes {format_number(code.labels)}. The predictor {saved}.{_prequential(report)}"
    )


def _prequential(report: Report) -> str:
    measured = [(c.prequential_bits, c.title) for c in report.candidates if c.prequential_bits is not None]
    if not measured:
        return ""
    told = ", ".join(f"{format_number(bits)} with {title}" for bits, title in sorted(measured))
    return (
        " Sent block by block, each coded by a model that learned from the blocks before, a training answer takes "
        f"{told} (bits). This prequential code pays for a model without counting its parameters."
    )


def input_warnings_sentence(report: Report) -> str:
    """What share of ordinary rows is handed back because of what they hold."""
    if report.guarded is None:
        return ""
    share = format_percent(report.guarded.value)
    return f"{share} of the test rows are handed back because their inputs are unlike training."


def cost_sentence(report: Report) -> str:
    """What fitting and an answer took."""
    cost = report.cost
    cpu = "" if cost.cpu_seconds is None else f" ({format_number(cost.cpu_seconds)} s of processor time)"
    passes = "" if cost.passes == 1 else f", in {format_number(cost.passes)} passes of the model"
    return f"Fitting took {format_number(cost.fit_seconds)} s{cpu}. One row takes {_batches(report)}{passes}."


def _batches(report: Report) -> str:
    timed = report.cost.batches.items()
    told = (
        f"{format_number(half)} ms (95th percentile {format_number(slow)} ms) in batches of {b}"
        for b, (half, slow) in timed
    )
    return ", ".join(told)
