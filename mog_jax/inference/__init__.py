"""Standard errors, criteria, thresholds and shape of a fitted mixture.

Pure functions of a mixture and its information or data, for any number of batch axes.
The methods of `mog_jax.Fit` call them.

====================  ==============================================================================
`reasons`             why a number is NaN: `Reason`
`batches`             a function of one dataset, mapped over batch axes
`root_finding`        zeros of monotone functions, lane by lane
`two_components`      points under each component
`information`         observed information -> covariance
`errors`              standard errors and Wald intervals
`scores`              the gradient of the log-density at each point
`sandwich`            scores and information -> the covariance that holds for a wrong model, too
`criteria`            BIC, AIC, ICL
`threshold`           where a posterior crosses a value, with its error; `Crossing`
`distribution`        density, distribution function, quantiles, and how well they fit
`intervals`           posteriors, scores and distances of values that are intervals
`shape`               modes and their separation
====================  ==============================================================================
"""

from mog_jax.inference.criteria import aic, bic, icl, n_parameters
from mog_jax.inference.distribution import (
    cdf,
    kolmogorov_distance,
    log_density,
    quantile,
    responsibilities,
)
from mog_jax.inference.errors import (
    ConfidenceIntervals,
    StandardErrors,
    confidence_intervals,
    standard_errors,
)
from mog_jax.inference.information import covariance
from mog_jax.inference.reasons import Reason
from mog_jax.inference.sandwich import sandwich
from mog_jax.inference.shape import Modes, ashman_d, bimodality_index, modes
from mog_jax.inference.threshold import (
    Crossing,
    Threshold,
    monotone_responsibilities,
    quantile_threshold,
    threshold,
)

__all__ = [
    "ConfidenceIntervals",
    "Crossing",
    "Modes",
    "Reason",
    "StandardErrors",
    "Threshold",
    "aic",
    "ashman_d",
    "bic",
    "bimodality_index",
    "cdf",
    "confidence_intervals",
    "covariance",
    "icl",
    "kolmogorov_distance",
    "log_density",
    "modes",
    "monotone_responsibilities",
    "n_parameters",
    "quantile",
    "quantile_threshold",
    "responsibilities",
    "sandwich",
    "standard_errors",
    "threshold",
]
