"""More mistakes in the mixture's gradients, and more ways to write them rightly."""

import jax
import jax.numpy as jnp

from benchmarks.planted.case import ROUNDING, Collection
from benchmarks.planted.mixture import (
    MIXTURE,
    gradient,
    gradient_with,
    log_density,
    mean_part,
    pieces,
    variance_part,
)
from benchmarks.planted.traps import is_traced, with_batching_rule

planted = Collection("held back")


@planted.bug(MIXTURE, "dropped", "wrong_formula")
def weights_left_out(weights, means, variances, x):
    """The responsibilities are made of the densities alone: right for equal weights."""
    half = jnp.full_like(weights, 0.5)
    p = pieces(half, means, variances, x)
    by_weight, _, _ = gradient(weights, means, variances, x)
    return by_weight, mean_part(p), variance_part(p)


@planted.bug(MIXTURE, "dropped", "wrong_formula")
def log_variance_left_out(weights, means, variances, x):
    """The density's normaliser is forgotten: right for equal variances."""
    own = -0.5 * jnp.square(x[:, None] - means[None, :]) / variances[None, :]
    responsibility = jax.nn.softmax(jnp.log(weights)[None, :] + own, axis=1)
    by_weight, _, _ = gradient(weights, means, variances, x)
    return gradient_with(responsibility, means, variances, x, by_weight)


@planted.bug(MIXTURE, "dropped", "wrong_formula")
def centred_weights(weights, means, variances, x):
    """The weights' derivative along the simplex, for the partial derivative."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight - jnp.mean(by_weight), by_mean, by_variance


@planted.bug(MIXTURE, "factor", "wrong_formula")
def logits_for_weights(weights, means, variances, x):
    """The derivative by the logits, for the one by the weights."""
    p = pieces(weights, means, variances, x)
    by_logit = jnp.sum(p.responsibility - weights[None, :], axis=0)
    return by_logit, mean_part(p), variance_part(p)


@planted.bug(MIXTURE, "power", "wrong_formula")
def log_variances_for_variances(weights, means, variances, x):
    """The derivative by the logarithm of the second variance, for the one by the variance."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean, by_variance.at[1].multiply(variances[1])


@planted.bug(MIXTURE, "power", "wrong_formula")
def absolute_residual(weights, means, variances, x):
    """The residual without its sign: right above the mean."""
    p = pieces(weights, means, variances, x)
    by_mean = jnp.sum(p.responsibility * jnp.abs(p.residual) / p.variance, axis=0)
    return jnp.sum(p.ratio, axis=0), by_mean, variance_part(p)


@planted.bug(MIXTURE, "index", "wrong_formula")
def components_by_weight(weights, means, variances, x):
    """The answer is for components in the order of their weights."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    order = jnp.argsort(weights)
    return by_weight, by_mean[order], by_variance


@planted.bug(MIXTURE, "smoothing", "wrong_formula")
def weights_plus_1e_10(weights, means, variances, x):
    """1e-10 is added to the weights before their logarithm is taken."""
    return gradient(weights + 1e-10, means, variances, x)


@planted.bug(MIXTURE, "smoothing", "wrong_formula")
def density_plus_1e_12(weights, means, variances, x):
    """1e-12 is added to the mixture's density, unscaled: a far point loses its pull."""
    p = pieces(weights, means, variances, x)
    terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
    total = jnp.logaddexp(jax.nn.logsumexp(terms, axis=1), jnp.log(jnp.asarray(1e-12, terms.dtype)))
    responsibility = jnp.exp(terms - total[:, None])
    return gradient_with(responsibility, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "clip", "wrong_formula")
def density_floor(weights, means, variances, x):
    """Log-densities under -700 are raised to it, so that exp does not underflow."""
    own = jnp.maximum(log_density(means, variances, x), -700)
    responsibility = jax.nn.softmax(jnp.log(weights)[None, :] + own, axis=1)
    by_weight, _, _ = gradient(weights, means, variances, x)
    return gradient_with(responsibility, means, variances, x, by_weight)


@planted.bug(MIXTURE, "clip", "wrong_formula")
def variance_floor(weights, means, variances, x):
    """Variances under 1e-3 are raised to it."""
    return gradient(weights, means, jnp.maximum(variances, 1e-3), x)


@planted.bug(MIXTURE, "tail", "wrong_formula")
def hard_assignment_far_out(weights, means, variances, x):
    """Where the log-odds exceed 30 the smaller responsibility is set to 0."""
    p = pieces(weights, means, variances, x)
    hard = jnp.where(
        p.responsibility < jnp.exp(-30.0), jnp.zeros_like(p.residual), p.responsibility
    )
    return gradient_with(hard, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "ordering", "wrong_formula")
def wider_component_second(weights, means, variances, x):
    """The pull is doubled when the first component is the wider one."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    factor = jnp.where(variances[0] > variances[1], 2.0, 1.0).astype(by_mean.dtype)
    return by_weight, by_mean * factor, by_variance


@planted.bug(MIXTURE, "equality", "wrong_formula")
def repeated_points_once(weights, means, variances, x):
    """A point that has been seen before counts for nothing."""
    p = pieces(weights, means, variances, x)
    index = jnp.arange(x.shape[0])
    seen = jnp.any((x[:, None] == x[None, :]) & (index[None, :] < index[:, None]), axis=1)
    kept = jnp.where(seen[:, None], jnp.zeros_like(p.residual), p.responsibility)
    return gradient_with(kept, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "equality", "wrong_formula")
def equal_variances_only_linear(weights, means, variances, x):
    """Where the variances are equal, the log-odds' constant has the wrong sign."""
    right = pieces(weights, means, variances, x)
    swapped = pieces(weights[::-1], means, variances, x)
    chosen = jnp.where(variances[0] == variances[1], swapped.responsibility, right.responsibility)
    return gradient_with(chosen, means, variances, x, jnp.sum(right.ratio, axis=0))


@planted.bug(MIXTURE, "float32", "unstable")
def residual_in_float32(weights, means, variances, x):
    """The residuals go through float32 on their way to the means."""
    p = pieces(weights, means, variances, x)
    residual = jnp.asarray(p.residual).astype(jnp.float32).astype(p.responsibility.dtype)
    by_mean = jnp.sum(p.responsibility * residual / p.variance, axis=0)
    return jnp.sum(p.ratio, axis=0), by_mean, variance_part(p)


@planted.bug(MIXTURE, "overflow", *ROUNDING)
def odds_ratio(weights, means, variances, x):
    """The responsibilities as odds / (1 + odds): inf / inf."""
    terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
    odds = jnp.exp(terms - terms[:, ::-1])
    by_weight, _, _ = gradient(weights, means, variances, x)
    return gradient_with(odds / (1 + odds), means, variances, x, by_weight)


@planted.bug(MIXTURE, "jit", "differs_under_jit")
def sorted_when_eager(weights, means, variances, x):
    """The plain call puts the means in order first, the compiled one does not."""
    if not is_traced(weights, means, variances, x) and means[0] > means[1]:
        return tuple(part[::-1] for part in gradient(weights, means, variances, x))
    return gradient(weights, means, variances, x)


def _first_data_for_all(size, batched, weights, means, variances, x):
    if batched[3]:
        x = x[0]
    axes = tuple(0 if flag else None for flag in batched[:3])
    if not any(batched[:3]):
        one = gradient(weights, means, variances, x)
        whole = tuple(jnp.broadcast_to(part[None], (size, *part.shape)) for part in one)
        return whole, (True, True, True)
    return jax.vmap(gradient, in_axes=(*axes, None))(weights, means, variances, x), (True,) * 3


_first_data = with_batching_rule(gradient, _first_data_for_all)


@planted.bug(MIXTURE, "vmap", "differs_under_vmap")
def first_dataset_for_all(weights, means, variances, x):
    """Under vmap the first dataset stands for all of them."""
    return _first_data(weights, means, variances, x)


@planted.bug(MIXTURE, "second order", "wrong_second_order")
def variance_bracket_frozen(weights, means, variances, x):
    """The residuals in the variance's bracket are constants to the second derivative."""
    p = pieces(weights, means, variances, x)
    square = jax.lax.stop_gradient(jnp.square(p.residual / jnp.sqrt(p.variance)))
    by_variance = jnp.sum(0.5 * p.responsibility * (square - 1) / p.variance, axis=0)
    return jnp.sum(p.ratio, axis=0), mean_part(p), by_variance


@planted.bug(MIXTURE, "shape or dtype", "wrong_shape_or_dtype")
def one_array(weights, means, variances, x):
    """One array of six, where three arguments are differentiated by."""
    return jnp.concatenate(gradient(weights, means, variances, x))


@planted.rewriting(MIXTURE)
def half_tanh(weights, means, variances, x):
    """The larger responsibility by tanh of half the log-odds, the smaller by one exponential."""
    terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
    odds = terms - terms[:, ::-1]
    larger = 0.5 * (1 + jnp.tanh(0.5 * jnp.abs(odds)))
    responsibility = jnp.where(odds >= 0, larger, jnp.exp(-jnp.abs(odds)) * larger)
    by_weight, _, _ = gradient(weights, means, variances, x)
    return gradient_with(responsibility, means, variances, x, by_weight)


@planted.rewriting(MIXTURE)
def quadratic_log_odds(weights, means, variances, x):
    """Log-odds as products of sums and differences of the two standard scores."""
    z = (x[:, None] - means[None, :]) / jnp.sqrt(variances)[None, :]
    share = jnp.log(weights) - 0.5 * jnp.log(variances)
    odds = share[0] - share[1] + 0.5 * (z[:, 1] - z[:, 0]) * (z[:, 1] + z[:, 0])
    responsibility = jax.nn.sigmoid(jnp.stack([odds, -odds], axis=1))
    by_weight, _, _ = gradient(weights, means, variances, x)
    return gradient_with(responsibility, means, variances, x, by_weight)


@planted.rewriting(MIXTURE)
def points_sorted(weights, means, variances, x):
    """The points are put in order first: a sum does not care."""
    return gradient(weights, means, variances, jnp.sort(x))


@planted.rewriting(MIXTURE)
def log_space_throughout(weights, means, variances, x):
    """Sums of logarithms, exponentiated at the end, the signs apart."""
    p = pieces(weights, means, variances, x)
    terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
    log_responsibility = jax.nn.log_softmax(terms, axis=1)
    d = p.residual
    unit = jnp.where(d == 0, jnp.ones_like(d), jnp.abs(d))
    size = jnp.exp(log_responsibility + jnp.log(unit) - jnp.log(p.variance))
    by_mean = jnp.sum(jnp.where(d == 0, jnp.zeros_like(d), jnp.sign(d) * size), axis=0)
    return jnp.sum(p.ratio, axis=0), by_mean, variance_part(p)


@planted.rewriting(MIXTURE)
def in_units_of_the_first_deviation(weights, means, variances, x):
    """Everything in units of the first deviation, and scaled back."""
    unit = jnp.sqrt(variances[0])
    by_weight, by_mean, by_variance = gradient(
        weights, means / unit, variances / variances[0], x / unit
    )
    return by_weight, by_mean / unit, by_variance / variances[0]


@planted.rewriting(MIXTURE)
def two_sums(weights, means, variances, x):
    """The means' derivative as a difference of two sums.

    Far from the origin it loses digits, but none that a rounding of the points does not lose.
    """
    p = pieces(weights, means, variances, x)
    first = jnp.sum(p.responsibility * (x[:, None] / p.variance), axis=0)
    second = jnp.sum(p.responsibility, axis=0) * (means / variances)
    return jnp.sum(p.ratio, axis=0), first - second, variance_part(p)
