r"""Cross-checks of each hand-written derivative of this package.

`mog_jax.crosscheck` compares every function of `mog_jax.gradients` with the textbook likelihood in
`mog_jax.likelihood`: its formula in exact arithmetic, its program in every precision and on every
execution, on mixtures and data with the structure of hard cases.
"""

import dataclasses
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from mog_jax import gradients, penalty, statistics
from mog_jax.arrays import HostArray
from mog_jax.crosscheck import Report, crosscheck, crosscheck_rule
from mog_jax.inference.scores import score_slopes
from mog_jax.intervals import truncated_moments
from mog_jax.likelihood import log_density, log_likelihood
from mog_jax.mixture import Mixture

# Each size is compiled: the gradient is checked at all, the others at the smallest two.
SIZES = (1, 7, 200)
_FEW = SIZES[:2]


@dataclasses.dataclass(frozen=True)
class SelfCheck:
    """A hand-written function, and how it is cross-checked."""

    name: str
    check: Callable[..., Report]


def self_checks() -> list[SelfCheck]:
    """List the hand-written derivatives with their checks.

    Of intervals, what one component contributes: the mean over an interval, from quadrature or
    tails. What a mixture makes of it takes minutes to evaluate exactly; ``tests/intervals`` does.
    """

    def derivative(
        name: str, function: Any, by_hand: Any, inputs: Any, order: int = 1
    ) -> SelfCheck:
        return SelfCheck(
            name, lambda **options: crosscheck(function, by_hand, inputs, order=order, **options)
        )

    def same(
        name: str,
        by_hand: Any,
        reference: Any,
        inputs: Any = None,
        order: int = 0,
        normwise: bool = False,
    ) -> SelfCheck:
        inputs = mixtures_and_data(_FEW) if inputs is None else inputs
        return SelfCheck(
            name,
            lambda **options: crosscheck_rule(
                by_hand, reference, inputs, order=order, normwise=normwise, **options
            ),
        )

    def of_field(name: str, field: str) -> SelfCheck:
        def function(value: Any, mixture: Mixture, x: Any) -> Any:
            return log_likelihood(dataclasses.replace(mixture, **{field: value}), x)

        def by_hand(value: Any, mixture: Mixture, x: Any) -> Any:
            return getattr(gradients, name)(dataclasses.replace(mixture, **{field: value}), x)

        apart = mixtures_and_data(_FEW).map(lambda drawn: (getattr(drawn[0], field), *drawn))
        return derivative(name, function, by_hand, apart)

    def lagrangian(weights: Any, mixture: Mixture, x: Any) -> Any:
        moved = dataclasses.replace(mixture, weights=weights)
        return log_likelihood(moved, x) - x.size * jnp.sum(weights)

    def of_logits(logits: Any, mixture: Mixture, x: Any) -> Any:
        return log_likelihood(_with_logits(logits, mixture), x)

    def of_log_variances(log_variances: Any, mixture: Mixture, x: Any) -> Any:
        return log_likelihood(_with_log_variances(log_variances, mixture), x)

    return [
        derivative(
            "gradient",
            lambda mixture, x, counts: log_likelihood(mixture, x, counts),
            lambda mixture, x, counts: gradients.gradient(mixture, x, counts),
            mixtures_and_data().flatmap(_with_counts),
            order=2,
        ),
        of_field("mean_gradient", "means"),
        of_field("variance_gradient", "variances"),
        of_field("weight_gradient", "weights"),
        derivative(
            "lagrangian_weight_condition",
            lagrangian,
            lambda weights, mixture, x: gradients.lagrangian_weight_condition(
                dataclasses.replace(mixture, weights=weights), x
            ),
            mixtures_and_data(_FEW).map(lambda drawn: (drawn[0].weights, *drawn)),
        ),
        same(
            "projected_weight_gradient",
            lambda mixture, x: gradients.projected_weight_gradient(mixture, x),
            lambda mixture, x: _projected(jax.grad(log_likelihood)(mixture, x).weights),
        ),
        derivative(
            "logit_gradient",
            of_logits,
            lambda logits, mixture, x: gradients.logit_gradient(_with_logits(logits, mixture), x),
            mixtures_and_data(_FEW).map(lambda drawn: (np.log(drawn[0].weights), *drawn)),
        ),
        derivative(
            "log_variance_gradient",
            of_log_variances,
            lambda log_variances, mixture, x: gradients.log_variance_gradient(
                _with_log_variances(log_variances, mixture), x
            ),
            mixtures_and_data(_FEW).map(lambda drawn: (np.log(drawn[0].variances), *drawn)),
        ),
        same(
            "point_gradients",
            lambda mixture, x: gradients.point_gradients(mixture, x),
            lambda mixture, x: jax.jacrev(log_density)(mixture, x),
        ),
        same(
            "observed_information",
            lambda mixture, x: gradients.observed_information(mixture, x),
            lambda mixture, x: _negated_matrix(jax.jacfwd(jax.grad(log_likelihood))(mixture, x)),
        ),
        derivative(
            "penalty_slopes",
            lambda theta, weight, variance: penalty.penalty(theta, weight, variance),
            lambda theta, weight, variance: jnp.stack(
                [jnp.zeros_like(theta[0])] * 3
                + list(penalty.penalty_slopes(theta, weight, variance))
            ),
            penalised_coordinates(),
            order=2,
        ),
        same(
            "penalty_information",
            lambda theta, weight, variance: jnp.stack(
                penalty.penalty_information(theta, weight, variance)
            ),
            lambda theta, weight, variance: (
                -jnp.diagonal(jax.hessian(penalty.penalty)(theta, weight, variance))[3:]
            ),
            inputs=penalised_coordinates(),
        ),
        same(
            "score_slopes",
            lambda mixture, x: score_slopes(mixture, x),
            _score_slopes,
        ),
        derivative(
            "intervals.truncated_moments",
            lambda centre, half_width: truncated_moments(centre, half_width).log_mass,
            lambda centre, half_width: -truncated_moments(centre, half_width).m1,
            intervals_around_0(),
        ),
        # The rule of the nine sums: values, first and second derivatives, by the points as well. An
        # entry that is nearly 0 is what is left of sums over the data, and as true as the largest.
        same(
            "statistics.log_likelihood",
            lambda mixture, x: statistics.log_likelihood(mixture, x),
            lambda mixture, x: log_likelihood(mixture, x),
            inputs=mixtures_near_their_data(),
            order=2,
            normwise=True,
        ),
    ]


def check(
    *, examples: int = 200, random_seed: int = 0, jobs: int = 1
) -> Iterator[tuple[str, Report]]:
    """Check every claim on `examples` drawn inputs each, and yield each report when it is there.

    Parameters
    ----------
    examples : int
        Inputs to draw for each claim.
    random_seed : int
        Which inputs: the same seed draws the same ones.
    jobs : int
        Processes among which the claims are divided; with 1, this one does it all.

    Yields
    ------
    tuple of str and Report
        The function's name and what was found.
    """
    listed = self_checks()
    jobs = min(jobs, len(listed))
    if jobs == 1:
        yield from (_checked(claim, examples, random_seed) for claim in listed)
        return
    # Spawned: a process that has run JAX must not be forked. Ctrl-C ends them without a word.
    context = multiprocessing.get_context("spawn")
    quietly = signal.SIGINT, signal.SIG_DFL
    with ProcessPoolExecutor(jobs, context, initializer=signal.signal, initargs=quietly) as pool:
        # The most expensive checks are last in the list; they begin first, so that none is left
        # alone at the end.
        names = [claim.name for claim in reversed(listed)]
        futures = [pool.submit(_checked_by_name, name, examples, random_seed) for name in names]
        yield from (future.result() for future in as_completed(futures))


def _checked_by_name(name: str, examples: int, random_seed: int) -> tuple[str, Report]:
    # A check holds local functions, which cannot be pickled.
    (claim,) = (claim for claim in self_checks() if claim.name == name)
    return _checked(claim, examples, random_seed)


def _checked(claim: SelfCheck, examples: int, random_seed: int) -> tuple[str, Report]:
    return claim.name, claim.check(examples=examples, seed=random_seed, name=claim.name)


@st.composite
def mixtures_and_data(draw: st.DrawFn, sizes: tuple[int, ...] = SIZES) -> tuple[Mixture, HostArray]:
    """Draw a mixture of two and points around it, with structure rather than bare floats.

    Weights down to 1e-12, separations from 0 to 1,000 standard deviations, variance ratios to
    1e12, offsets to 1e8 and scales apart from them; points as z-scores of either component out to
    1,000, with ties, and exactly on the means.
    """
    # Equal weights are drawn on purpose: some bugs show at a tie alone.
    small = draw(
        st.floats(0.3, 12).map(lambda size: 10.0**-size) | st.sampled_from([1e-12, 1e-6, 0.49, 0.5])
    )
    weights = [small, 1 - small] if draw(st.booleans()) else [1 - small, small]
    scale = 10.0 ** draw(st.floats(-3, 3) | st.just(0.0))
    ratio = 10.0 ** draw(st.floats(-6, 6) | st.sampled_from([0.0, -6.0, 6.0]))
    separation = draw(st.floats(0, 10) | st.sampled_from([0.0, 1.0, 100.0, 1e3]))
    offset = draw(st.floats(-10, 10) | st.sampled_from([0.0, 1e4, -1e8, 1e8]))
    means = [offset, offset + separation * scale]
    deviations = [scale, scale * ratio]
    score = st.floats(-6, 6) | st.sampled_from([0.0, 1.0, -9.0, 45.0, 1e3])
    n = draw(st.sampled_from(sizes))
    # A few drawn points, repeated to fill the size: so there are ties.
    few = draw(st.lists(st.tuples(score, st.integers(0, 1)), min_size=1, max_size=min(n, 12)))
    points = [means[k] + z * deviations[k] for z, k in few]
    mixture = Mixture.from_arrays(
        weights=weights, means=means, variances=np.square(deviations).tolist()
    )
    return mixture, np.resize(np.asarray(points), n)


@st.composite
def mixtures_near_their_data(draw: st.DrawFn, n: int = 7) -> tuple[Mixture, HostArray]:
    """Draw a mixture of two and points around it, as a fit meets them on its way.

    The nine sums give what the wider component holds as what the narrower one leaves: an absolute
    accuracy, enough for every sum over data. A weight of 1e-12 has no digits in it, so none is
    drawn here; nor are components 1,000 standard deviations apart.
    """
    weight = draw(st.floats(0.05, 0.95) | st.just(0.5))
    scale = 10.0 ** draw(st.floats(-3, 3) | st.just(0.0))
    ratio = 10.0 ** draw(st.floats(-0.5, 0.5) | st.just(0.0))
    separation = draw(st.floats(0, 6) | st.just(0.0))
    offset = scale * draw(st.floats(-3, 3) | st.just(0.0))
    means = [offset, offset + separation * scale]
    deviations = [scale, scale * ratio]
    score = st.floats(-4, 4) | st.sampled_from([0.0, 1.0])
    drawn = draw(st.lists(st.tuples(score, st.integers(0, 1)), min_size=n, max_size=n))
    mixture = Mixture.from_arrays(
        weights=[weight, 1 - weight], means=means, variances=np.square(deviations).tolist()
    )
    return mixture, np.asarray([means[k] + z * deviations[k] for z, k in drawn])


def intervals_around_0() -> st.SearchStrategy[tuple[Any, Any]]:
    """Draw centres and half-widths: of points, intervals and half-lines."""
    centres = st.floats(-9, 9) | st.sampled_from([0.0, 20.0, -24.0, 30.0, -37.0])
    half_widths = st.sampled_from([0.0, 1e-9, 0.05, 1.9, 5.0, np.inf, -np.inf]) | st.floats(0, 3)
    return st.tuples(centres.map(np.float64), half_widths.map(np.float64))


@st.composite
def penalised_coordinates(draw: st.DrawFn) -> tuple[HostArray, HostArray, HostArray]:
    """Draw coordinates of a mixture, the penalty's weight and the data's variance.

    Log-variances from the data's own, where a slope is 0, to those of components a millionth wide.
    """
    variance = 10.0 ** draw(st.floats(-6, 6) | st.just(0.0))
    relative = st.floats(-28, 3) | st.sampled_from([0.0, 1e-9, -28.0])
    rest = [draw(st.floats(-9, 9)) for _ in range(3)]
    log_variances = [float(np.log(variance)) + draw(relative) for _ in range(2)]
    weight = draw(st.floats(1e-3, 1) | st.sampled_from([0.0, 1.0]))
    return np.array([*rest, *log_variances]), np.array(weight), np.array(variance)


def plane(
    separations: HostArray, log10_variance_ratios: HostArray, *, n: int = 24
) -> tuple[Report, dict[str, HostArray]]:
    """Cross-check the gradient over a plane of mixtures.

    Parameters
    ----------
    separations : array, shape (s,)
        Distances of the means, in standard deviations of the first component.
    log10_variance_ratios : array, shape (r,)
        Powers of ten of the second variance over the first.
    n : int
        Points at each place: standard scores from -4 to 4, in turn about either mean.

    Returns
    -------
    report : Report
    kept : dict from execution to array, shape (r, s)
        The fewest digits kept in any entry that is large enough to have some; NaN where none is.
        ``"allowed"`` and ``"allowed, float32"`` are the fewest that conditioning allows any entry.
    """
    inputs = [
        (_in_plane(float(separation), float(ratio)), _points_about(separation, ratio, n))
        for ratio in log10_variance_ratios
        for separation in separations
    ]
    report = crosscheck(log_likelihood, gradients.gradient, inputs, order=1, name="gradient")
    shape = len(log10_variance_ratios), len(separations)
    kept: dict[str, HostArray] = {}
    fewer = float(np.log10(np.finfo(np.float32).eps / np.finfo(np.float64).eps))
    for point in report.points:
        allowed = {
            "allowed": point["allowed"],
            "allowed, float32": max(point["allowed"] - fewer, 0.0),
        }
        for execution, digits in {**point["kept"], **allowed}.items():
            row = kept.setdefault(execution, np.full(shape[0] * shape[1], np.nan))
            row[point["number"] // 2] = digits
    return report, {execution: values.reshape(shape) for execution, values in kept.items()}


def _in_plane(separation: float, log10_ratio: float) -> Mixture:
    # Numbers that float32 holds exactly: both precisions are given the same mixture.
    variances = np.array([1.0, 10.0**log10_ratio]).astype(np.float32).astype(np.float64)
    means = np.array([0.0, separation]).astype(np.float32).astype(np.float64)
    return Mixture.from_arrays(weights=[0.25, 0.75], means=means, variances=variances)


def _points_about(separation: float, log10_ratio: float, n: int) -> HostArray:
    z = np.linspace(-4, 4, n)
    own = np.arange(n) % 2 == 0
    points = np.where(own, z, separation + z * 10.0 ** (log10_ratio / 2))
    return points.astype(np.float32).astype(np.float64)


def _with_counts(
    drawn: tuple[Mixture, HostArray],
) -> st.SearchStrategy[tuple[Mixture, HostArray, HostArray]]:
    mixture, x = drawn
    counts = st.lists(st.sampled_from([1.0, 0.0, 2.0, 1000.0]), min_size=1, max_size=4)
    return counts.map(lambda few: (mixture, x, np.resize(np.asarray(few), x.shape)))


def _with_logits(logits: Any, mixture: Mixture) -> Mixture:
    return dataclasses.replace(mixture, weights=jax.nn.softmax(logits))


def _with_log_variances(log_variances: Any, mixture: Mixture) -> Mixture:
    return dataclasses.replace(mixture, variances=jnp.exp(log_variances))


def _projected(partial: jax.Array) -> jax.Array:
    return partial - jnp.mean(partial)


def _score_slopes(mixture: Mixture, x: jax.Array) -> jax.Array:
    """Derivatives by the point of the textbook's scores, in the coordinates of the ascent."""

    def density(mixture: Mixture, x: jax.Array) -> jax.Array:
        return log_density(mixture, x[None])[0]

    by_point = jax.vmap(jax.jacfwd(jax.grad(density), 1), (None, 0))(mixture, x)
    weights = mixture.weights
    # Weights that were rounded do not sum to 1 exactly.
    logit = (
        jnp.prod(weights) / jnp.sum(weights) * (by_point.weights[:, :1] - by_point.weights[:, 1:])
    )
    return jnp.concatenate(
        [logit, by_point.means, mixture.variances[None] * by_point.variances], axis=1
    )


def _negated_matrix(hessian: Any) -> jax.Array:
    """Lay out a Mixture of Mixtures as one matrix, in the order weights, means, variances."""
    return -jnp.block(
        [
            [row.weights, row.means, row.variances]
            for row in (hessian.weights, hessian.means, hessian.variances)
        ]
    )
