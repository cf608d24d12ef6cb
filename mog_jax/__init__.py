"""Cross-checked analytic gradients and batch fits of Gaussian mixtures, on JAX.

Names are loaded on first use: neither ``import mog_jax`` nor ``mog-jax --help`` pays for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mog_jax import datasets
    from mog_jax.fitting import Fit, Status, fit
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

_HOME = {
    "Coordinates": "mog_jax.mixture",
    "Fit": "mog_jax.fitting",
    "Mixture": "mog_jax.mixture",
    "Status": "mog_jax.fitting",
    "component_log_density": "mog_jax.likelihood",
    "fit": "mog_jax.fitting",
    "gradient": "mog_jax.gradients",
    "lagrangian_weight_condition": "mog_jax.gradients",
    "log_density": "mog_jax.likelihood",
    "log_likelihood": "mog_jax.likelihood",
    "log_variance_gradient": "mog_jax.gradients",
    "logit_gradient": "mog_jax.gradients",
    "mean_gradient": "mog_jax.gradients",
    "observed_information": "mog_jax.gradients",
    "point_gradients": "mog_jax.gradients",
    "projected_weight_gradient": "mog_jax.gradients",
    "responsibilities": "mog_jax.likelihood",
    "variance_gradient": "mog_jax.gradients",
    "weight_gradient": "mog_jax.gradients",
}

__all__ = [
    "Coordinates",
    "Fit",
    "Mixture",
    "Status",
    "component_log_density",
    "datasets",
    "fit",
    "gradient",
    "lagrangian_weight_condition",
    "log_density",
    "log_likelihood",
    "log_variance_gradient",
    "logit_gradient",
    "mean_gradient",
    "observed_information",
    "point_gradients",
    "projected_weight_gradient",
    "responsibilities",
    "variance_gradient",
    "weight_gradient",
]


_MODULES = {"datasets"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mog_jax.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'mog_jax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
