"""The nine sums at a mixture, how they add up, and what follows from them.

- `nine_sums`: from points to sums, and the fast log-likelihood;
- `steps`: from sums to the gradient, the observed information, and a step of EM or Newton's.
"""

from mog_jax.kernel import Sums
from mog_jax.statistics.nine_sums import add, log_likelihood, sums
from mog_jax.statistics.steps import (
    em_step,
    gain_left,
    gradient,
    newton_step,
    observed_information,
)

__all__ = [
    "Sums",
    "add",
    "em_step",
    "gain_left",
    "gradient",
    "log_likelihood",
    "newton_step",
    "observed_information",
    "sums",
]
