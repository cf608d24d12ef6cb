"""One page of all fits, to sort, search and look at: see :mod:`mog_jax.report.page`."""

from mog_jax.report.page import write_report

__all__ = ["write_report"]
