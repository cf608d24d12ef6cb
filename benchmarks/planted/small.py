"""Small functions with one trap each: the logarithm of a variance, and log-cosh."""

import jax
import jax.numpy as jnp
from hypothesis import strategies as st

from benchmarks.planted.case import ROUNDING, Collection, Subject
from benchmarks.planted.draws import array, log_uniform, signed

planted = Collection()


def log_spread(x):
    """Logarithm of the variance of the points, its mean taken off first."""
    residual = x - jnp.mean(x)
    return jnp.log(jnp.mean(residual * residual))


def spread_gradient(x):
    """Twice the residual over the sum of squares."""
    residual = x - jnp.mean(x)
    return 2 * residual / jnp.sum(residual * residual)


@st.composite
def _spread_inputs(draw: st.DrawFn):
    scale = draw(log_uniform(1e-3, 1e3))
    offset = draw(st.one_of(st.just(0.0), signed(log_uniform(1, 1e7))))
    n = draw(st.sampled_from([2, 3, 20]))
    z = draw(array(st.floats(-3, 3), n))
    # Never constant: the function has no value there.
    z[0], z[1] = -1.0, 1.0
    if draw(st.booleans()):
        z[2:] = z[0]
    return (scale * (offset + z),)


SPREAD = Subject(
    name="log_spread",
    function=log_spread,
    derivative=spread_gradient,
    inputs=_spread_inputs(),
    typical=lambda rng: (rng.normal(size=5),),
)


@planted.bug(SPREAD, "cancellation", *ROUNDING)
def one_pass(x):
    """Mean of squares minus square of the mean."""
    mean = jnp.mean(x)
    variance = jnp.mean(x * x) - mean * mean
    return 2 * (x - mean) / (x.shape[0] * variance)


@planted.bug(SPREAD, "factor", "wrong_formula")
def bessel(x):
    """Bessel's n - 1 in the place of n."""
    n = x.shape[0]
    return spread_gradient(x) * (n - 1) / n


@planted.bug(SPREAD, "smoothing", "wrong_formula")
def variance_plus_1e_12(x):
    """1e-12 is added to the sum of squares."""
    residual = x - jnp.mean(x)
    return 2 * residual / (jnp.sum(residual * residual) + 1e-12)


@planted.bug(SPREAD, "clip", "wrong_formula")
def variance_floor(x):
    """The variance is never less than 1e-4."""
    residual = x - jnp.mean(x)
    return 2 * residual / (x.shape[0] * jnp.maximum(jnp.mean(residual * residual), 1e-4))


@planted.bug(SPREAD, "second order", "wrong_second_order")
def mean_frozen(x):
    """The mean is a constant to the second derivative."""
    residual = x - jax.lax.stop_gradient(jnp.mean(x))
    return 2 * residual / jnp.sum(residual * residual)


@planted.bug(SPREAD, "dropped", "wrong_formula")
def first_point_as_centre(x):
    """The first point is taken for the mean in the sum of squares."""
    residual, about_first = x - jnp.mean(x), x - x[0]
    return 2 * residual / jnp.sum(about_first * about_first)


@planted.rewriting(SPREAD)
def shifted_first(x):
    """The first point is taken off all of them before anything else."""
    near = x - x[0]
    residual = near - jnp.mean(near)
    return residual / (0.5 * jnp.sum(jnp.square(residual)))


@planted.rewriting(SPREAD)
def pairwise(x):
    """All differences between two points."""
    difference = x[:, None] - x[None, :]
    return 4 * jnp.sum(difference, axis=1) / jnp.sum(difference * difference)


def log_cosh(x):
    """Sum of log cosh, near 0 and far from it each in its own way."""
    size = jnp.abs(x)
    near = jnp.log(jnp.cosh(jnp.where(size < 1, x, jnp.zeros_like(x))))
    far = jnp.where(size < 1, jnp.ones_like(x), size)
    return jnp.sum(jnp.where(size < 1, near, far + jnp.log1p(jnp.exp(-2 * far)) - jnp.log(2.0)))


def log_cosh_gradient(x):
    """Hyperbolic tangent."""
    return jnp.tanh(x)


LOG_COSH = Subject(
    name="log_cosh",
    function=log_cosh,
    derivative=log_cosh_gradient,
    inputs=st.tuples(
        array(
            st.one_of(st.floats(-3, 3), signed(log_uniform(1e-9, 1e3)), st.sampled_from([0.0, 40])),
            3,
        )
    ),
    typical=lambda rng: (rng.normal(size=3),),
)


@planted.bug(LOG_COSH, "overflow", "not_finite")
def ratio_of_exponentials(x):
    """The ratio sinh / cosh, both of which overflow."""
    return jnp.sinh(x) / jnp.cosh(x)


@planted.bug(LOG_COSH, "cancellation", "unstable")
def one_minus_exponential(x):
    """1 - exp(-2|x|), where expm1 is needed: nothing is left near 0."""
    e = jnp.exp(-2 * jnp.abs(x))
    return jnp.sign(x) * (1 - e) / (1 + e)


@planted.bug(LOG_COSH, "boundary", "not_finite")
def normalised_by_size(x):
    """The sign is made by dividing by the size: 0/0 at 0."""
    return x / jnp.abs(x) * jnp.tanh(jnp.abs(x))


@planted.bug(LOG_COSH, "tail", "wrong_formula")
def saturates_at_20(x):
    """Beyond 20 the derivative is 1: so it is to a double, but the sign is lost too."""
    return jnp.where(jnp.abs(x) > 20, jnp.ones_like(x), jnp.tanh(x))


@planted.bug(LOG_COSH, "power", "wrong_formula")
def derivative_of_the_derivative(x):
    """1 - tanh²."""
    return 1 - jnp.square(jnp.tanh(x))


@planted.bug(LOG_COSH, "tail", "wrong_formula")
def three_terms_of_the_series(x):
    """A Taylor polynomial under 0.05: three terms are not enough for a double."""
    square = x * x
    series = x * (1 - square / 3 + 2 * square * square / 15)
    return jnp.where(jnp.abs(x) < 0.05, series, jnp.tanh(x))


@planted.rewriting(LOG_COSH)
def by_expm1(x):
    """The same by expm1, whose digits stay near 0."""
    e = jnp.expm1(-2 * jnp.abs(x))
    return -jnp.sign(x) * e / (2 + e)
