"""Likelihood of values of which only an interval is known, and its derivatives in closed form.

`moments` computes the moments of a standard normal on an interval; `derivatives` the likelihood of
a two-component mixture and its derivatives; `mixtures` the likelihood of any number of components.
:mod:`mog_jax.fitting.intervals` fits mixtures to intervals.
"""

from mog_jax.intervals.derivatives import (
    Terms,
    em_step,
    gradient,
    interval_terms,
    log_likelihood,
    log_odds,
    observed_information,
)
from mog_jax.intervals.moments import Moments, truncated_moments

__all__ = [
    "Moments",
    "Terms",
    "em_step",
    "gradient",
    "interval_terms",
    "log_likelihood",
    "log_odds",
    "observed_information",
    "truncated_moments",
]
