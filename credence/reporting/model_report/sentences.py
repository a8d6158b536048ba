"""Sentences that the report page and the model card share."""

from credence.data.checks import Findings
from credence.data.rows import original_name
from credence.evaluation.gate.verdict import Verdict
from credence.reporting.model_report.report import Report
from credence.reporting.number_format import format_number, format_percent, plural
from credence.statistics.metrics import METRICS

HEADLINES = {"promote": "Promoted", "keep": "Not promoted", "hold": "On hold: a person decides"}


def headline_sentence(verdict: Verdict) -> str:
    """The verdict in a few words."""
    return "The champion stays" if verdict.outcome == "keep" and verdict.champion else HEADLINES[verdict.outcome]


def calibration_sentence(report: Report) -> str:
    """Whether the calibration error is within chance level."""
    inside, ece = report.calibration.within_chance(), format_number(report.calibration.errors["ece"].value)
    chance = format_number(report.calibration.chance.high)
    return (
        f"The calibration error of {ece} is {'within' if inside else 'above'} the chance level: on "
        f"{plural(report.rows, 'row')}, binning noise alone gives a perfectly calibrated predictor up to {chance} in "
        f"19 of 20 cases. {'Nothing speaks against' if inside else 'Take care with'} the probabilities."
    )


def missing_values_sentence(findings: Findings) -> list[tuple[str, float]]:
    """Share of missing values by raw column name, largest first; columns without any are left out."""
    return sorted(((original_name(c), s) for c, s in findings.missing.items() if s > 0), key=lambda found: -found[1])


def recalibration_sentence(report: Report) -> str:
    """Log-loss before and after calibration."""
    raw, now = (format_number(m.value) for m in (report.calibration.raw_log_loss, report.scores["log_loss"]))
    return (
        f"Calibration left log-loss at {now}." if raw == now else f"Calibration changed log-loss from {raw} to {now}."
    )


def usage_sentence(verdict: Verdict) -> str:
    """How many comparisons used these test rows, and the smallest difference that they usually show."""
    looks = plural(verdict.looks, "comparison") if verdict.looks else "no comparison"
    return (
        f"These test rows have served {looks} with a champion so far. A difference in {METRICS[verdict.metric].title} "
        f"under {format_number(verdict.detectable, 2)} would usually go unnoticed on them."
    )


def uncertainty_sentence(report: Report) -> str:
    """How many answers are wrong, what a person's review would gain, and the mean uncertainty."""
    at, found = report.operating, report.selective["total"]
    wrong = at.false_yes + at.false_no
    if wrong == 0:
        return f"No answer of {report.rows:,} is wrong, so these rows cannot show whether uncertainty finds errors."
    before, after = format_percent(1 - wrong / report.rows), format_percent(found["accuracy_at_review_10"].value)
    return (
        f"{plural(wrong, 'answer')} of {report.rows:,} {'is' if wrong == 1 else 'are'} wrong. "
        f"If a person answered the least certain tenth, accuracy would rise from {before} to {after}. {_parts(report)}"
    )


def _parts(report: Report) -> str:
    told = report.uncertainty
    mean = f"The mean uncertainty of an answer is {format_number(told.total)} bits"
    if told.epistemic is None or told.aleatoric is None:
        return f"{mean}; a single draw has no epistemic part."
    return (
        f"{mean}, of which {format_number(told.epistemic)} are disagreement between {told.draws} draws (epistemic) "
        f"and {format_number(told.aleatoric)} noise in the rows (aleatoric)."
    )


def code_length_sentence(report: Report) -> str:
    """Code length of the test labels with and without the predictor, and prequential code length by candidate."""
    code = report.code
    if code is None:
        return ""
    weights = "" if code.model is None else f", plus {format_number(code.model)} for its weights"
    saved = f"saves {format_percent(code.saved)}" if code.saved >= 0 else f"costs {format_percent(-code.saved)} more"
    return (
        f"The labels of these {plural(report.rows, 'row')} take {format_number(code.data)} bits with the "
        f"predictor ({format_number(code.data / report.rows)} a row){weights}; with only the share of "
        f"{report.answers[1]} they take {format_number(code.labels)}. The predictor {saved}.{_prequential(report)}"
    )


def _prequential(report: Report) -> str:
    measured = [(c.prequential_bits, c.title) for c in report.candidates if c.prequential_bits is not None]
    if not measured:
        return ""
    told = ", ".join(f"{format_number(bits)} with {title}" for bits, title in sorted(measured))
    return (
        " Coded block by block, each with a model fitted to the blocks before, a training label takes "
        f"{told} (bits). This prequential code includes the cost of a model without counting its parameters."
    )


def input_warnings_sentence(report: Report) -> str:
    """Share of test rows that are returned without an answer because their inputs differ from training."""
    if report.guarded is None:
        return ""
    share = format_percent(report.guarded.value)
    return f"The predictor abstains on {share} of the test rows because their inputs differ from training."


def cost_sentence(report: Report) -> str:
    """Time to fit and time per row."""
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
