"""The mixture's gradients, planted with the mistakes that people make in them."""

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

planted = Collection()


@planted.bug(MIXTURE, "factor", "wrong_formula")
def variance_without_half(weights, means, variances, x):
    """The variance's 1/2 is forgotten."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean, 2 * by_variance


@planted.bug(MIXTURE, "factor", "wrong_formula")
def weights_not_divided(weights, means, variances, x):
    """The sum of responsibilities is taken for the derivative by the weight."""
    p = pieces(weights, means, variances, x)
    return jnp.sum(p.responsibility, axis=0), mean_part(p), variance_part(p)


@planted.bug(MIXTURE, "factor", "wrong_formula")
def averaged_over_points(weights, means, variances, x):
    """The mean over the points, where the function is a sum: right for one point."""
    return tuple(part / x.shape[0] for part in gradient(weights, means, variances, x))


@planted.bug(MIXTURE, "factor", "wrong_formula")
def by_deviation(weights, means, variances, x):
    """The derivative by the standard deviation, returned for the variance."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean, by_variance * 2 * jnp.sqrt(variances)


@planted.bug(MIXTURE, "power", "wrong_formula")
def mean_over_deviation(weights, means, variances, x):
    """The residual is divided by the standard deviation, not by the variance."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean * jnp.sqrt(variances), by_variance


@planted.bug(MIXTURE, "power", "wrong_formula")
def square_over_variance(weights, means, variances, x):
    """In the bracket, the square is divided by the variance once."""
    p = pieces(weights, means, variances, x)
    bracket = jnp.square(p.residual) / p.variance - 1 / p.variance
    by_variance = jnp.sum(0.5 * p.responsibility * bracket, axis=0)
    return jnp.sum(p.ratio, axis=0), mean_part(p), by_variance


@planted.bug(MIXTURE, "sign", "wrong_formula")
def variance_negated(weights, means, variances, x):
    """The bracket's two terms change places."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean, -by_variance


@planted.bug(MIXTURE, "sign", "wrong_formula")
def second_mean_negated(weights, means, variances, x):
    """The second component's residual is mean minus point."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean.at[1].multiply(-1), by_variance


@planted.bug(MIXTURE, "index", "wrong_formula")
def other_responsibility(weights, means, variances, x):
    """Each mean is pulled by the other component's responsibilities."""
    p = pieces(weights, means, variances, x)
    by_mean = jnp.sum(p.responsibility[:, ::-1] * p.residual / p.variance, axis=0)
    return jnp.sum(p.ratio, axis=0), by_mean, variance_part(p)


@planted.bug(MIXTURE, "index", "wrong_formula")
def first_variance_for_both(weights, means, variances, x):
    """The mean's derivative divides by the first variance always: right where they are equal."""
    p = pieces(weights, means, variances, x)
    by_mean = jnp.sum(p.responsibility * p.residual / variances[0], axis=0)
    return jnp.sum(p.ratio, axis=0), by_mean, variance_part(p)


@planted.bug(MIXTURE, "dropped", "wrong_formula")
def multiplier_included(weights, means, variances, x):
    """The Lagrangian condition in the place of the partial derivative."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight - x.shape[0], by_mean, by_variance


@planted.bug(MIXTURE, "dropped", "wrong_formula")
def last_point_dropped(weights, means, variances, x):
    """An off-by-one: the sum ends before the last point."""
    everything = gradient(weights, means, variances, x)
    last = gradient(weights, means, variances, x[-1:])
    return tuple(a - b for a, b in zip(everything, last, strict=True))


@planted.bug(MIXTURE, "tail", "wrong_formula")
def small_responsibilities_dropped(weights, means, variances, x):
    """Points of responsibility under 1e-3 are left out of the variance."""
    p = pieces(weights, means, variances, x)
    kept = jnp.where(p.responsibility < 1e-3, jnp.zeros_like(p.residual), p.responsibility)
    return gradient_with(kept, means, variances, x, jnp.sum(p.ratio, axis=0))


def _smoothed(eps):
    """Add `eps` to the denominator of the responsibilities, the largest term being 1."""

    def claim(weights, means, variances, x):
        terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
        scaled = jnp.exp(terms - jnp.max(terms, axis=1, keepdims=True))
        responsibility = scaled / (jnp.sum(scaled, axis=1, keepdims=True) + eps)
        by_weight, _, _ = gradient(weights, means, variances, x)
        return gradient_with(responsibility, means, variances, x, by_weight)

    return claim


@planted.bug(MIXTURE, "smoothing", "wrong_formula")
def denominator_plus_1e_3(weights, means, variances, x):
    """1e-3 is added to the denominator of the responsibilities."""
    return _smoothed(1e-3)(weights, means, variances, x)


@planted.bug(MIXTURE, "smoothing", "wrong_formula")
def denominator_plus_1e_8(weights, means, variances, x):
    """1e-8 is added to the denominator of the responsibilities."""
    return _smoothed(1e-8)(weights, means, variances, x)


@planted.bug(MIXTURE, "smoothing", "wrong_formula")
def denominator_plus_1e_14(weights, means, variances, x):
    """1e-14 is added to the denominator of the responsibilities."""
    return _smoothed(1e-14)(weights, means, variances, x)


@planted.bug(MIXTURE, "smoothing", "wrong_formula")
def variance_plus_1e_6(weights, means, variances, x):
    """1e-6 is added to the variances, as scikit-learn's reg_covar is."""
    return gradient(weights, means, variances + 1e-6, x)


@planted.bug(MIXTURE, "clip", "wrong_formula")
def responsibility_clipped(weights, means, variances, x):
    """Responsibilities are kept within [1e-6, 1 - 1e-6]."""
    p = pieces(weights, means, variances, x)
    kept = jnp.clip(p.responsibility, 1e-6, 1 - 1e-6)
    return gradient_with(kept, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "clip", "wrong_formula")
def z_score_clipped(weights, means, variances, x):
    """Standard scores are kept within 30."""
    deviations = jnp.sqrt(variances)[None, :]
    p = pieces(weights, means, variances, x)
    z = jnp.clip(p.residual / deviations, -30, 30)
    by_mean = jnp.sum(p.responsibility * z / deviations, axis=0)
    return jnp.sum(p.ratio, axis=0), by_mean, variance_part(p)


@planted.bug(MIXTURE, "tail", "wrong_formula")
def far_points_ignored(weights, means, variances, x):
    """A point beyond 38 sigma of both components counts for nothing."""
    p = pieces(weights, means, variances, x)
    far = jnp.all(jnp.square(p.residual) > 38**2 * p.variance, axis=1, keepdims=True)
    kept = jnp.where(far, jnp.zeros_like(p.residual), p.responsibility)
    return gradient_with(kept, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "ordering", "wrong_formula")
def means_sorted(weights, means, variances, x):
    """The means are put in order, the variances are not."""
    return gradient(weights, jnp.sort(means), variances, x)


@planted.bug(MIXTURE, "equality", "wrong_formula")
def nothing_at_the_mean(weights, means, variances, x):
    """A point that lies on the mean adds nothing to the variance; it adds -1/(2 variance)."""
    p = pieces(weights, means, variances, x)
    kept = jnp.where(p.residual == 0, jnp.zeros_like(p.residual), p.responsibility)
    return gradient_with(kept, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "equality", "wrong_formula")
def equal_means_share_equally(weights, means, variances, x):
    """Where the means are equal, each component takes half of every point."""
    p = pieces(weights, means, variances, x)
    half = jnp.full_like(p.responsibility, 0.5)
    shared = jnp.where(means[0] == means[1], half, p.responsibility)
    return gradient_with(shared, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "float32", "unstable")
def responsibility_in_float32(weights, means, variances, x):
    """The responsibilities go through float32."""
    p = pieces(weights, means, variances, x)
    rounded = p.responsibility.astype(jnp.float32).astype(p.residual.dtype)
    return gradient_with(rounded, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "cancellation", *ROUNDING)
def raw_moments(weights, means, variances, x):
    """The square of the residual, multiplied out: nothing is left of it far from the origin."""
    p = pieces(weights, means, variances, x)
    s0 = jnp.sum(p.responsibility, axis=0)
    s1 = jnp.sum(p.responsibility * x[:, None], axis=0)
    s2 = jnp.sum(p.responsibility * jnp.square(x)[:, None], axis=0)
    by_mean = (s1 - means * s0) / variances
    squares = s2 - 2 * means * s1 + jnp.square(means) * s0
    by_variance = 0.5 * (squares / jnp.square(variances) - s0 / variances)
    return jnp.sum(p.ratio, axis=0), by_mean, by_variance


@planted.bug(MIXTURE, "cancellation", *ROUNDING)
def complement(weights, means, variances, x):
    """The second responsibility is 1 minus the first, which has no digits where that is near 1."""
    p = pieces(weights, means, variances, x)
    first = p.responsibility[:, 0]
    responsibility = jnp.stack([first, 1 - first], axis=1)
    return gradient_with(responsibility, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "cancellation", *ROUNDING)
def ratio_by_logarithms(weights, means, variances, x):
    """The exponential of a difference of two logarithms, both large at a far point."""
    own = log_density(means, variances, x)
    terms = jnp.log(weights)[None, :] + own
    total = jax.nn.logsumexp(terms, axis=1)[:, None]
    by_weight = jnp.sum(jnp.exp(own - total), axis=0)
    return gradient_with(jnp.exp(terms - total), means, variances, x, by_weight)


@planted.bug(MIXTURE, "overflow", *ROUNDING)
def densities_unscaled(weights, means, variances, x):
    """Densities are not scaled by the largest before they are divided: 0/0 in the tails."""
    density = jnp.exp(log_density(means, variances, x))
    total = jnp.sum(weights[None, :] * density, axis=1, keepdims=True)
    ratio = density / total
    return gradient_with(weights[None, :] * ratio, means, variances, x, jnp.sum(ratio, axis=0))


@planted.bug(MIXTURE, "boundary", "not_finite")
def divided_by_the_residual(weights, means, variances, x):
    """The residual is made from its square: 0/0 where a point lies on the mean."""
    p = pieces(weights, means, variances, x)
    square = jnp.square(p.residual)
    by_mean = jnp.sum(p.responsibility * (square / p.residual) / p.variance, axis=0)
    return jnp.sum(p.ratio, axis=0), by_mean, variance_part(p)


@planted.bug(MIXTURE, "jit", "differs_under_jit")
def clipped_when_traced(weights, means, variances, x):
    """A guard that is there in compiled code only."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    if is_traced(weights, means, variances, x):
        by_mean = 0.999 * by_mean
    return by_weight, by_mean, by_variance


@planted.bug(MIXTURE, "jit", "differs_under_jit")
def half_when_eager(weights, means, variances, x):
    """Right in compiled code; the plain call forgets a factor."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    if not is_traced(weights, means, variances, x):
        by_variance = 0.5 * by_variance
    return by_weight, by_mean, by_variance


def _first_mixture_for_all(size, batched, weights, means, variances, x):
    """Take the parameters of the batch's first mixture for every dataset."""
    first = [
        a[0] if is_batched else a
        for a, is_batched in zip((weights, means, variances), batched, strict=False)
    ]
    data = x if batched[3] else jnp.broadcast_to(x[None, :], (size, *x.shape))
    return jax.vmap(gradient, in_axes=(None, None, None, 0))(*first, data), (True, True, True)


_sharing = with_batching_rule(gradient, _first_mixture_for_all)


@planted.bug(MIXTURE, "vmap", "differs_under_vmap")
def first_mixture_for_all(weights, means, variances, x):
    """Under vmap, the batch's first mixture stands for every one of them."""
    return _sharing(weights, means, variances, x)


@planted.bug(MIXTURE, "second order", "wrong_second_order")
def responsibilities_frozen(weights, means, variances, x):
    """The responsibilities are constants to the second derivative, as in EM's lower bound."""
    p = pieces(weights, means, variances, x)
    frozen = jax.lax.stop_gradient(p.responsibility)
    return gradient_with(frozen, means, variances, x, jnp.sum(p.ratio, axis=0))


@planted.bug(MIXTURE, "shape or dtype", "wrong_shape_or_dtype")
def variance_of_shape_k_1(weights, means, variances, x):
    """The variances' derivative comes as a column."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean, by_variance[:, None]


@planted.bug(MIXTURE, "shape or dtype", "wrong_shape_or_dtype")
def mean_in_float16(weights, means, variances, x):
    """The means' derivative comes in half precision."""
    by_weight, by_mean, by_variance = gradient(weights, means, variances, x)
    return by_weight, by_mean.astype(jnp.float16), by_variance


@planted.rewriting(MIXTURE)
def sigmoid_of_log_odds(weights, means, variances, x):
    """The responsibilities as the sigmoid of the log-odds and of their negative."""
    terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
    odds = terms[:, 0] - terms[:, 1]
    responsibility = jax.nn.sigmoid(jnp.stack([odds, -odds], axis=1))
    by_weight, _, _ = gradient(weights, means, variances, x)
    return gradient_with(responsibility, means, variances, x, by_weight)


@planted.rewriting(MIXTURE)
def softmax_and_einsum(weights, means, variances, x):
    """Softmax over the components; the sums over the points as einsum."""
    own = log_density(means, variances, x)
    responsibility = jax.nn.softmax(jnp.log(weights)[None, :] + own, axis=1)
    deviations = jnp.sqrt(variances)
    z = (x[:, None] - means[None, :]) / deviations[None, :]
    share = jax.nn.softmax(own, axis=1)
    ratio = share / (share @ weights)[:, None]
    return (
        jnp.einsum("ik->k", ratio),
        jnp.einsum("ik,ik->k", responsibility, z) / deviations,
        0.5 * jnp.einsum("ik,ik->k", responsibility, (z - 1) * (z + 1)) / variances,
    )


@planted.rewriting(MIXTURE)
def one_exponential(weights, means, variances, x):
    """One exponential of minus the absolute log-odds, and one division."""
    terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
    odds = terms[:, 0] - terms[:, 1]
    e = jnp.exp(-jnp.abs(odds))
    near, far = 1 / (1 + e), e / (1 + e)
    first = jnp.where(odds >= 0, near, far)
    second = jnp.where(odds >= 0, far, near)
    by_weight, _, _ = gradient(weights, means, variances, x)
    responsibility = jnp.stack([first, second], axis=1)
    return gradient_with(responsibility, means, variances, x, by_weight)


@planted.rewriting(MIXTURE)
def points_reversed(weights, means, variances, x):
    """The points in the opposite order, the components too, and back."""
    parts = gradient(weights[::-1], means[::-1], variances[::-1], x[::-1])
    return tuple(part[::-1] for part in parts)


@planted.rewriting(MIXTURE)
def mapped_over_points(weights, means, variances, x):
    """One point at a time, under vmap, and added."""
    by_point = jax.vmap(gradient, in_axes=(None, None, None, 0))(
        weights, means, variances, x[:, None]
    )
    return tuple(jnp.sum(part, axis=0) for part in by_point)


@planted.rewriting(MIXTURE)
def precisions(weights, means, variances, x):
    """With the precision, 1/variance, in the place of every division."""
    p = pieces(weights, means, variances, x)
    precision = 1 / p.variance
    pull = p.responsibility * p.residual * precision
    by_variance = jnp.sum(pull * p.residual * precision - p.responsibility * precision, axis=0)
    return jnp.sum(p.ratio, axis=0), jnp.sum(pull, axis=0), 0.5 * by_variance


@planted.rewriting(MIXTURE)
def scanned(weights, means, variances, x):
    """A scan over the points that carries the three sums."""

    def step(total, point):
        return tuple(
            a + b for a, b in zip(total, gradient(weights, means, variances, point), strict=True)
        ), None

    zero = tuple(jnp.zeros_like(a) for a in (weights, means, variances))
    total, _ = jax.lax.scan(step, zero, x[:, None])
    return total
