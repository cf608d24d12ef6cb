"""Maximum likelihood for two-component mixtures, one dataset or a whole batch."""

from mog_jax.fitting.batch import fit
from mog_jax.fitting.result import Fit, Status

__all__ = ["Fit", "Status", "fit"]
