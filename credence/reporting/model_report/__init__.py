"""The model report: measurements on the test rows as JSON, figures and one HTML page."""

from credence.reporting.model_report.build import build_report
from credence.reporting.model_report.report import CalibrationReport, Curves, Report

__all__ = ["CalibrationReport", "Curves", "Report", "build_report"]
