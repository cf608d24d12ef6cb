"""More cases for the functions whose other cases are not held back."""

import jax
import jax.numpy as jnp

from benchmarks.planted import logistic, student
from benchmarks.planted.case import Collection
from benchmarks.planted.logistic import LOGISTIC
from benchmarks.planted.small import LOG_COSH, SPREAD, spread_gradient
from benchmarks.planted.student import STUDENT

planted = Collection("held back")


@planted.bug(LOG_COSH, "clip", "wrong_formula")
def argument_clipped(x):
    """The argument is kept within 10, where tanh is still 4e-9 short of 1."""
    return jnp.tanh(jnp.clip(x, -10, 10))


@planted.rewriting(LOG_COSH)
def series_near_zero(x):
    """A Taylor polynomial near 0, of enough terms to be right to a double's last digit."""
    square = x * x
    series = 1 - square * (1 / 3 - square * (2 / 15 - square * (17 / 315 - square * 62 / 2835)))
    return jnp.where(jnp.abs(x) < 5e-3, x * series, jnp.tanh(x))


@planted.bug(SPREAD, "equality", "wrong_formula")
def ties_with_the_first_dropped(x):
    """A point equal to the first is left out of the answer."""
    later = jnp.arange(x.shape[0]) > 0
    gradient = spread_gradient(x)
    return jnp.where(later & (x == x[0]), jnp.zeros_like(gradient), gradient)


@planted.bug(SPREAD, "float32", "unstable")
def squares_in_float32(x):
    """The sum of squares is accumulated in float32."""
    residual = x - jnp.mean(x)
    narrow = residual.astype(jnp.float32)
    return 2 * residual / jnp.sum(narrow * narrow).astype(residual.dtype)


@planted.bug(STUDENT, "tail", "wrong_formula")
def normal_above_50(location, scale, dof, x):
    """Above 50 degrees of freedom the pull is the normal's."""
    by_location, by_scale, by_dof = student.gradient(location, scale, dof, x)
    normal = jnp.sum((x - location) / scale) / scale
    return jnp.where(dof > 50, normal, by_location), by_scale, by_dof


@planted.bug(STUDENT, "vmap", "differs_under_vmap")
def total_when_batched(location, scale, dof, x):
    """Told by its tracer's name, a batch of points gets no derivative by the scale."""
    by_location, by_scale, by_dof = student.gradient(location, scale, dof, x)
    if type(x).__name__ == "BatchTracer":
        by_scale = 0 * by_scale
    return by_location, by_scale, by_dof


@planted.rewriting(STUDENT)
def by_hypotenuse(location, scale, dof, x):
    """With sine and cosine of the angle between the residual and the scaled deviation."""
    width = scale * jnp.sqrt(dof)
    d = x - location
    hypotenuse = jnp.hypot(d, width)
    sine = d / hypotenuse
    _, _, by_dof = student.gradient(location, scale, dof, x)
    by_location = (dof + 1) * jnp.sum(sine / hypotenuse)
    return by_location, jnp.sum((dof + 1) * sine * sine - 1) / scale, by_dof


@planted.bug(LOGISTIC, "power", "wrong_formula")
def pull_squared(coefficients, design, labels):
    """The pull is squared: right where the probability is 0 or 1."""
    p = jax.nn.sigmoid(-labels * (design @ coefficients))
    return (labels * p * p) @ design


@planted.bug(LOGISTIC, "float32", "unstable")
def predictor_in_float32(coefficients, design, labels):
    """The linear predictor goes through float32."""
    eta = jnp.asarray(design @ coefficients)
    eta = eta.astype(jnp.float32).astype(eta.dtype)
    return (labels * jax.nn.sigmoid(-labels * eta)) @ design


@planted.bug(LOGISTIC, "tail", "wrong_formula")
def confident_rows_skipped(coefficients, design, labels):
    """Rows of margin above 15 are skipped."""
    margin = labels * (design @ coefficients)
    pull = jnp.where(margin > 15, jnp.zeros_like(margin), jax.nn.sigmoid(-margin))
    return (labels * pull) @ design


@planted.bug(LOGISTIC, "second order", "wrong_second_order")
def probability_frozen(coefficients, design, labels):
    """The probability is a constant to the second derivative."""
    return jax.lax.stop_gradient(logistic.gradient(coefficients, design, labels))
