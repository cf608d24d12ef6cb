"""Maximum likelihood for two-component mixtures, one dataset or a whole batch."""

from mog_jax.fitting.batch import fit
from mog_jax.fitting.directions import Direction, View
from mog_jax.fitting.maximum import local_maximum
from mog_jax.fitting.path import AscentPath, ascent_path
from mog_jax.fitting.reading import Ragged
from mog_jax.fitting.result import Fit, OneComponent, Status

__all__ = [
    "AscentPath",
    "Direction",
    "Fit",
    "OneComponent",
    "Ragged",
    "Status",
    "View",
    "ascent_path",
    "fit",
    "local_maximum",
]
