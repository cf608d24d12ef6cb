"""Writes an HTML page of all fits, to sort, search and view: see :mod:`mog_jax.report.page`."""

from mog_jax.report.page import write_report

__all__ = ["write_report"]
