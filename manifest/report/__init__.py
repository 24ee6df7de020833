"""The report: one page that says what is in a dataset, whether it is whole, and how it looks."""

from aurora_prep.manifest.report.page import report

__all__ = ["report"]
