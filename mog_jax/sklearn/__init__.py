"""Estimators for scikit-learn. They need it: ``pip install 'mog_jax[sklearn]'``.

====================  ============================================================================
`GaussianMixture`     scikit-learn's own, of two components and one column: a changed import
`MixtureTransformer`  a mixture for each column of a matrix; gives the posterior of the upper one
====================  ============================================================================
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
