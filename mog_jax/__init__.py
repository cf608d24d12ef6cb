r"""Cross-checked analytic gradients and batch fits of Gaussian mixtures, on JAX.

Modules
-------
Each imports only from those above it in this table, which a test checks.

====================  ============================================================================
`crosscheck`          a checker of hand-written derivatives for any JAX function; it imports
                      nothing of the rest, and has a map of its own
`datasets`            small real datasets
`arrays`              types of arrays
`threads`,            blocks of work on threads and on accelerators, and a bar that shows progress
`devices`,
`progress`
`program_cache`       compiled programs, kept on disk
`fuse`,               one loop over the lanes, its shapes, and the same under `jax.shard_map`
`lane_shapes`,
`manual_axes`
`explained`,          outcomes with a sentence each, names of parameters, the name that was meant
`parameter_names`,
`suggestions`
`array_like`          arrays, read from any form
`precision`           float64 without a global flag
`mixture`             the parameters of a mixture, validated; shape (..., k)
`intervals`           the likelihood of values of which only an interval is known, and its
                      derivatives by hand
`likelihood`          the textbook log-likelihood, which everything else is judged by
`penalty`             on variances far from the data's; it decides among the maxima
`kernel`              nine sums over the points of one dataset, shape (n,), by one exponential each
`gradients`           the derivatives written by hand, as functions of points and a mixture
`inference`           from a mixture and its information: errors, thresholds, criteria, shape
`fitting`             from data to `Fit`: read, standardise, climb from many starts, describe
`statistics`          the nine sums as a public, additive statistic
`selection`,          one component or two; by BIC, by bootstrap; intervals by profiles
`bootstrap`,
`profile`
`self_check`          every hand-written derivative of the package under `crosscheck`
`chunks`              one dataset that does not fit into memory, by passes over its chunks
`plots`               pictures
`sklearn`             fits as estimators of scikit-learn
`anndata`             fits of what an AnnData object holds
`tables`              a table in, a row per group out; runs that can be killed and resumed
`report`              a page of all fits of a table
`spark`, `ray`,       tables on a cluster: thin, as the engine does the work
`dask`
`streams`             `fit_chunks`: sources that `chunks` can read once for each pass
`cli`                 ``mog-jax``
====================  ============================================================================

What flows: datasets, shape (b, n), become a `Fit` of batch shape (b,), whose methods hand its
fields to `inference`. Equations are numbered in ``derivation.md``, accuracies derived in
``crosscheck/accuracy.md``.

Names are loaded on first use: neither ``import mog_jax`` nor ``mog-jax --help`` pays for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mog_jax import crosscheck, datasets, inference, plots, statistics, tables
    from mog_jax.bootstrap import BootstrapTest, bootstrap_test
    from mog_jax.fitting import Direction, Fit, LocalModel, OneComponent, Ragged, Status, fit
    from mog_jax.fitting.ascent_path import AscentPath, ascent_path
    from mog_jax.fitting.data.sparse import sparse_datasets
    from mog_jax.fitting.local_maximum import local_maximum
    from mog_jax.gradients import (
        gradient,
        lagrangian_weight_condition,
        log_variance_gradient,
        logit_gradient,
        mean_gradient,
        observed_information,
        point_gradients,
        projected_weight_gradient,
        variance_gradient,
        weight_gradient,
    )
    from mog_jax.likelihood import (
        component_log_density,
        log_density,
        log_likelihood,
        responsibilities,
    )
    from mog_jax.mixture import Coordinates, Mixture
    from mog_jax.profile import ProfileInterval, profile_interval
    from mog_jax.selection import Comparison, Model, compare
    from mog_jax.streams import fit_chunks
    from mog_jax.tables import fit_table

_HOME = {
    "AscentPath": "mog_jax.fitting",
    "BootstrapTest": "mog_jax.bootstrap",
    "Comparison": "mog_jax.selection",
    "Coordinates": "mog_jax.mixture",
    "Direction": "mog_jax.fitting",
    "Fit": "mog_jax.fitting",
    "Mixture": "mog_jax.mixture",
    "Model": "mog_jax.selection",
    "OneComponent": "mog_jax.fitting",
    "ProfileInterval": "mog_jax.profile",
    "Ragged": "mog_jax.fitting",
    "Status": "mog_jax.fitting",
    "ascent_path": "mog_jax.fitting",
    "bootstrap_test": "mog_jax.bootstrap",
    "LocalModel": "mog_jax.fitting",
    "compare": "mog_jax.selection",
    "component_log_density": "mog_jax.likelihood",
    "fit": "mog_jax.fitting",
    "fit_chunks": "mog_jax.streams",
    "fit_table": "mog_jax.tables",
    "gradient": "mog_jax.gradients",
    "lagrangian_weight_condition": "mog_jax.gradients",
    "local_maximum": "mog_jax.fitting",
    "log_density": "mog_jax.likelihood",
    "log_likelihood": "mog_jax.likelihood",
    "log_variance_gradient": "mog_jax.gradients",
    "logit_gradient": "mog_jax.gradients",
    "mean_gradient": "mog_jax.gradients",
    "observed_information": "mog_jax.gradients",
    "point_gradients": "mog_jax.gradients",
    "profile_interval": "mog_jax.profile",
    "projected_weight_gradient": "mog_jax.gradients",
    "responsibilities": "mog_jax.likelihood",
    "sparse_datasets": "mog_jax.fitting",
    "variance_gradient": "mog_jax.gradients",
    "weight_gradient": "mog_jax.gradients",
}

__all__ = [
    "AscentPath",
    "BootstrapTest",
    "Comparison",
    "Coordinates",
    "Direction",
    "Fit",
    "LocalModel",
    "Mixture",
    "Model",
    "OneComponent",
    "ProfileInterval",
    "Ragged",
    "Status",
    "ascent_path",
    "bootstrap_test",
    "compare",
    "component_log_density",
    "crosscheck",
    "datasets",
    "fit",
    "fit_chunks",
    "fit_table",
    "gradient",
    "inference",
    "lagrangian_weight_condition",
    "local_maximum",
    "log_density",
    "log_likelihood",
    "log_variance_gradient",
    "logit_gradient",
    "mean_gradient",
    "observed_information",
    "plots",
    "point_gradients",
    "profile_interval",
    "projected_weight_gradient",
    "responsibilities",
    "sparse_datasets",
    "statistics",
    "tables",
    "variance_gradient",
    "weight_gradient",
]


# `anndata` and `sklearn` are not in `__all__`: with a star they would take the place of the
# libraries of these names.
_MODULES = {
    *("anndata", "crosscheck", "datasets", "inference"),
    *("plots", "sklearn", "statistics", "tables"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _MODULES:
        return importlib.import_module(f"mog_jax.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'mog_jax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


def _version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("mog_jax")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"  # run from a checkout that was not installed
