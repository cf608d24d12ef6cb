"""The likelihood of values of which only an interval is known, and its derivatives by hand.

`moments` knows one standard normal, `derivatives` a mixture of two and its intervals. What is
fitted to intervals is fitted in :mod:`mog_jax.fitting.intervals`.
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
