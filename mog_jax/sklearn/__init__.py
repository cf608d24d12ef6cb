"""Estimators for scikit-learn. Needs scikit-learn: ``pip install 'mog_jax[sklearn]'``.

====================  ============================================================================
`GaussianMixture`     the interface of scikit-learn's own, for two components and one column
`MixtureTransformer`  a mixture for each column; returns the posterior of the upper component
====================  ============================================================================

They are in `gaussian_mixture` and `mixture_transformer`; `reading` validates matrices and sample
weights for both.
"""

try:
    import sklearn as sklearn
except ImportError:
    raise ImportError(
        "these estimators need scikit-learn; install it with: pip install 'mog_jax[sklearn]'"
    ) from None

from mog_jax.sklearn.gaussian_mixture import GaussianMixture
from mog_jax.sklearn.mixture_transformer import MixtureTransformer

__all__ = ["GaussianMixture", "MixtureTransformer"]
