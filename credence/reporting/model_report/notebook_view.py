"""The short form of a report that a notebook shows under a cell."""

from markupsafe import Markup

from credence.evaluation.gate.verdict import Verdict
from credence.reporting import plot_style
from credence.reporting.html import template_environment
from credence.reporting.model_report import plots
from credence.reporting.model_report.html_page import TEMPLATES, key_figures
from credence.reporting.model_report.report import Report
from credence.reporting.model_report.sentences import calibration_sentence, headline_sentence
from credence.statistics.metrics import METRICS

HEADLINES = {"promote": "Good enough to use", "keep": "Not good enough", "hold": "A person must decide"}


def render_notebook(report: Report, verdict: Verdict, notes: list[str]) -> str:
    """An HTML fragment: verdict, key figures, candidates with 95 % intervals, calibration plot and `notes`.

    Its styles touch nothing outside it. It follows the light or dark theme of Jupyter, VS Code and Colab.
    """
    alt = f"reliability diagram. {calibration_sentence(report)}"
    return (
        template_environment(TEMPLATES)
        .get_template("notebook.html.j2")
        .render(
            report=report,
            verdict=verdict,
            headline=headline_sentence(verdict) if verdict.champion else HEADLINES[verdict.outcome],
            tiles=key_figures(report),
            metric=METRICS[report.metric].title,
            reliability=Markup(plot_style.svg(plots.reliability_plot(report), "notebook", alt)),  # nosec B704: own SVG
            calibrated=calibration_sentence(report),
            notes=notes,
        )
    )
