"""Student's t with unknown location, scale and degrees of freedom: digammas and heavy tails."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax.scipy.special import digamma, gammaln

from benchmarks.planted.case import ROUNDING, Collection, Subject
from benchmarks.planted.draws import log_uniform, signed, sizes, z_scores

planted = Collection()


def log_likelihood(location, scale, dof, x):
    """Sum of the log-densities of the points."""
    z = (x - location) / scale
    constant = gammaln((dof + 1) / 2) - gammaln(dof / 2) - 0.5 * jnp.log(dof * jnp.pi)
    return jnp.sum(constant - jnp.log(scale) - 0.5 * (dof + 1) * jnp.log1p(z * z / dof))


def gradient(location, scale, dof, x):
    """Give the derivative by location, scale and degrees of freedom."""
    z = (x - location) / scale
    weight = (dof + 1) / (dof + z * z)
    by_location = jnp.sum(weight * z) / scale
    by_scale = jnp.sum(weight * z * z - 1) / scale
    return by_location, by_scale, _by_dof(dof, z)


def _by_dof(dof, z):
    constant = digamma((dof + 1) / 2) - digamma(dof / 2) - 1 / dof
    ratio = z * z / (dof + z * z)
    return 0.5 * jnp.sum(constant - jnp.log1p(z * z / dof) + (dof + 1) / dof * ratio)


@st.composite
def _inputs(draw: st.DrawFn):
    scale = draw(log_uniform(1e-3, 1e3))
    location = scale * draw(st.one_of(st.just(0.0), signed(log_uniform(1e-2, 1e4))))
    dof = draw(st.one_of(st.sampled_from([1.0, 2.0, 4.0]), log_uniform(0.3, 100)))
    n = draw(sizes)
    x = location + scale * np.array(draw(st.lists(z_scores, min_size=n, max_size=n)))
    return np.float64(location), np.float64(scale), np.float64(dof), x


def _typical(rng):
    location, log_scale, log_dof = rng.normal(size=3)
    return location, np.exp(0.5 * log_scale), 4 * np.exp(0.3 * log_dof), rng.normal(size=5)


STUDENT = Subject(
    name="student_t",
    function=log_likelihood,
    derivative=gradient,
    wrt=(0, 1, 2),
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(STUDENT, "factor", "wrong_formula")
def gaussian_pull(location, scale, dof, x):
    """The normal's score: the weight of a far point is forgotten."""
    _, by_scale, by_dof = gradient(location, scale, dof, x)
    return jnp.sum((x - location) / scale) / scale, by_scale, by_dof


@planted.bug(STUDENT, "power", "wrong_formula")
def scale_squared(location, scale, dof, x):
    """The derivative by location is divided by the scale once too often."""
    by_location, by_scale, by_dof = gradient(location, scale, dof, x)
    return by_location / scale, by_scale, by_dof


@planted.bug(STUDENT, "index", "wrong_formula")
def dof_off_by_one(location, scale, dof, x):
    """The weight has dof where dof + 1 belongs."""
    z = (x - location) / scale
    by_location = jnp.sum(dof / (dof + z * z) * z) / scale
    _, by_scale, by_dof = gradient(location, scale, dof, x)
    return by_location, by_scale, by_dof


@planted.bug(STUDENT, "dropped", "wrong_formula")
def digamma_by_logarithm(location, scale, dof, x):
    """Digamma is replaced by the logarithm, its first term."""
    z = (x - location) / scale
    by_location, by_scale, by_dof = gradient(location, scale, dof, x)
    exact = digamma((dof + 1) / 2) - digamma(dof / 2)
    rough = jnp.log((dof + 1) / 2) - jnp.log(dof / 2)
    return by_location, by_scale, by_dof + 0.5 * z.size * (rough - exact)


@planted.bug(STUDENT, "tail", "wrong_formula")
def winsorised(location, scale, dof, x):
    """Standard scores beyond 100 are pulled back to 100."""
    z = jnp.clip((x - location) / scale, -100, 100)
    weight = (dof + 1) / (dof + z * z)
    _, _, by_dof = gradient(location, scale, dof, x)
    return jnp.sum(weight * z) / scale, jnp.sum(weight * z * z - 1) / scale, by_dof


@planted.bug(STUDENT, "cancellation", *ROUNDING)
def square_multiplied_out(location, scale, dof, x):
    """The squared residual as x² - 2 x location + location²."""
    square = (x * x - 2 * x * location + location * location) / (scale * scale)
    weight = (dof + 1) / (dof + square)
    by_location, _, by_dof = gradient(location, scale, dof, x)
    return by_location, jnp.sum(weight * square - 1) / scale, by_dof


@planted.bug(STUDENT, "smoothing", "wrong_formula")
def scale_plus_1e_10(location, scale, dof, x):
    """1e-10 is added to the scale."""
    return gradient(location, scale + 1e-10, dof, x)


@planted.bug(STUDENT, "equality", "wrong_formula")
def cauchy_special_case(location, scale, dof, x):
    """A special case for one degree of freedom, with its factor 2 missing."""
    by_location, by_scale, by_dof = gradient(location, scale, dof, x)
    return jnp.where(dof == 1, 0.5 * by_location, by_location), by_scale, by_dof


@planted.bug(STUDENT, "second order", "wrong_second_order")
def weights_frozen(location, scale, dof, x):
    """The robust weights are constants to the second derivative."""
    z = (x - location) / scale
    weight = jax.lax.stop_gradient((dof + 1) / (dof + z * z))
    _, by_scale, by_dof = gradient(location, scale, dof, x)
    return jnp.sum(weight * z) / scale, by_scale, by_dof


@planted.bug(STUDENT, "shape or dtype", "wrong_shape_or_dtype")
def location_by_point(location, scale, dof, x):
    """The points' derivatives by the location are not added."""
    z = (x - location) / scale
    _, by_scale, by_dof = gradient(location, scale, dof, x)
    return (dof + 1) / (dof + z * z) * z / scale, by_scale, by_dof


@planted.rewriting(STUDENT)
def scaled_by_dof(location, scale, dof, x):
    """With z²/dof in the place of z² everywhere."""
    z = (x - location) / scale
    part = z * z / dof
    pull = (1 + 1 / dof) * z / (1 + part)
    _, _, by_dof = gradient(location, scale, dof, x)
    return jnp.sum(pull) / scale, (jnp.sum(pull * z) - z.size) / scale, by_dof


@planted.rewriting(STUDENT)
def unscaled_residuals(location, scale, dof, x):
    """With residuals in the data's unit."""
    d = x - location
    weight = (dof + 1) / (dof * scale * scale + d * d)
    _, _, by_dof = gradient(location, scale, dof, x)
    by_scale = jnp.sum(dof * (d * d - scale * scale) / (dof * scale * scale + d * d)) / scale
    return jnp.sum(weight * d), by_scale, by_dof
