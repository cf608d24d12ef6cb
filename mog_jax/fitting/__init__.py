"""Maximum likelihood for two-component mixtures, one dataset or a whole batch."""

from mog_jax.fitting.api import fit
from mog_jax.fitting.ascent_path import AscentPath, ascent_path
from mog_jax.fitting.climb.directions import Direction, LocalModel
from mog_jax.fitting.data.inputs import Ragged
from mog_jax.fitting.data.sparse import sparse_datasets
from mog_jax.fitting.local_maximum import local_maximum
from mog_jax.fitting.results.fit import Fit, OneComponent, Status

__all__ = [
    "AscentPath",
    "Direction",
    "Fit",
    "LocalModel",
    "OneComponent",
    "Ragged",
    "Status",
    "ascent_path",
    "fit",
    "local_maximum",
    "sparse_datasets",
]
