"""Each hand-written derivative against autodiff, against 80 digits, and under its own laws."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import (
    Mixture,
    gradient,
    lagrangian_weight_condition,
    log_density,
    log_likelihood,
    log_variance_gradient,
    logit_gradient,
    mean_gradient,
    observed_information,
    point_gradients,
    projected_weight_gradient,
    responsibilities,
    variance_gradient,
    weight_gradient,
)
from tests.strategies import mixtures_with_points

WITH_COUNTS = [
    mean_gradient,
    variance_gradient,
    weight_gradient,
    lagrangian_weight_condition,
    projected_weight_gradient,
    logit_gradient,
    log_variance_gradient,
    gradient,
    observed_information,
]


def exact_log_likelihood(weights, means, variances, x, counts):
    total = mpmath.mpf(0)
    for point, count in zip(x, counts, strict=True):
        density = mpmath.mpf(0)
        for w, m, v in zip(weights, means, variances, strict=True):
            density += (
                w * mpmath.exp(-((point - m) ** 2) / (2 * v)) / mpmath.sqrt(2 * mpmath.pi * v)
            )
        total += count * mpmath.log(density)
    return total


@mpmath.workdps(80)
def exact_gradient(mixture, x, counts):
    """Difference quotients of the definition in 80 digits, which use no derivative rule."""
    fields = [[mpmath.mpf(float(v)) for v in field] for field in jax.tree.leaves(mixture)]
    # Each parameter moves by so much of its natural unit, not of itself: it may be 0.
    units = [fields[0], [mpmath.sqrt(variance) for variance in fields[2]], fields[2]]
    x = [mpmath.mpf(float(point)) for point in x]
    slopes = []
    for field, natural in zip(fields, units, strict=True):
        slopes.append([])
        for k, value in enumerate(field):
            width = natural[k] * mpmath.mpf(10) ** -30
            field[k] = value + width
            ahead = exact_log_likelihood(*fields, x, counts)
            field[k] = value - width
            behind = exact_log_likelihood(*fields, x, counts)
            field[k] = value
            slopes[-1].append(float((ahead - behind) / (2 * width)))
    return Mixture(
        **dict(zip(["weights", "means", "variances"], map(np.array, slopes), strict=True))
    )


def scale_of(mixture, x, counts):
    """Sums of the absolute terms, enlarged by what rounding does to a far point."""
    by_point = jax.tree.map(lambda terms: np.abs(terms), point_gradients(mixture, x))
    z = np.abs(x[:, None] - mixture.means) / mixture.standard_deviations
    reach = (np.abs(x)[:, None] + np.abs(mixture.means)) / mixture.standard_deviations
    magnified = 8 + np.max((1 + z) * (1 + reach), axis=1)
    spread = Mixture(
        weights=by_point.weights,
        means=by_point.means + responsibilities(mixture, x) * reach / mixture.standard_deviations,
        variances=by_point.variances
        + responsibilities(mixture, x) * (z * reach + 1) / mixture.variances,
    )
    return jax.tree.map(lambda terms: (counts * magnified) @ terms, spread)


@given(
    mixtures_with_points(sizes=(1, 5), smallest_weight=1e-9),
    st.lists(st.integers(1, 3), min_size=5, max_size=5),
)
def test_gradient_agrees_with_differences_in_eighty_digits(drawn, counts):
    mixture, x = drawn
    counts = np.array(counts[: len(x)], dtype=float)
    by_hand = gradient(mixture, x, counts)
    exact = exact_gradient(mixture, x, counts)
    scale = scale_of(mixture, x, counts)
    for name in ("weights", "means", "variances"):
        error = np.abs(getattr(by_hand, name) - getattr(exact, name))
        # Four roundings of each term; the difference quotient itself is exact to 40 decimals.
        assert (error <= 4 * np.finfo(float).eps * getattr(scale, name) + 1e-40).all(), name


autodiff_gradient = jax.jit(jax.grad(log_likelihood))


@jax.jit
@functools.partial(jax.grad, argnums=(0, 1))
def autodiff_in_coordinates(logits, log_variances, means, x, counts):
    mixture = Mixture(weights=jax.nn.softmax(logits), means=means, variances=jnp.exp(log_variances))
    return log_likelihood(mixture, x, counts)


@given(mixtures_with_points(min_components=2, sizes=(6,), largest_score=4.0))
def test_every_form_agrees_with_autodiff_of_the_textbook(drawn):
    mixture, x = drawn
    counts = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    m = counts.sum()
    with jax.enable_x64(True):
        autodiff = autodiff_gradient(mixture, x, counts)
        in_logits_and_log_variances = autodiff_in_coordinates(
            jnp.log(mixture.weights), jnp.log(mixture.variances), mixture.means, x, counts
        )
    # A double on JAX's side decays outside its flag.
    autodiff = jax.tree.map(np.asarray, autodiff)
    by_logit, by_log_variance = map(np.asarray, in_logits_and_log_variances)
    scale = scale_of(mixture, x, counts)
    near = 64 * np.finfo(float).eps
    pairs = [
        (mean_gradient, autodiff.means, scale.means),
        (variance_gradient, autodiff.variances, scale.variances),
        (weight_gradient, autodiff.weights, scale.weights),
        (lagrangian_weight_condition, autodiff.weights - m, scale.weights + m),
        (
            projected_weight_gradient,
            autodiff.weights - autodiff.weights.mean(),
            scale.weights + scale.weights.mean(),
        ),
        (logit_gradient, by_logit, scale.weights * mixture.weights + m),
        (log_variance_gradient, by_log_variance, scale.variances * mixture.variances),
    ]
    for function, expected, size in pairs:
        error = np.abs(function(mixture, x, counts) - expected)
        assert (error <= near * size + 1e-300).all(), function.__name__


# Traced once for each shape, not for each input.
HESSIAN = jax.jit(jax.hessian(log_likelihood))


@given(mixtures_with_points(min_components=2, sizes=(6,), largest_score=4.0))
def test_information_is_minus_the_derivative_of_the_gradient(drawn):
    mixture, x = drawn
    counts = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    k = mixture.n_components
    information = observed_information(mixture, x, counts)
    np.testing.assert_array_equal(information.shape, (3 * k, 3 * k))
    with jax.enable_x64(True):
        hessian = HESSIAN(mixture, x, counts)
        rows = [hessian.weights, hessian.means, hessian.variances]
        expected = -np.block([[r.weights, r.means, r.variances] for r in rows])
    # The natural size of an entry: the product of the scores' root mean squares, and curvature.
    scores = np.concatenate(jax.tree.leaves(point_gradients(mixture, x)), axis=1)
    gamma = responsibilities(mixture, x)
    z = (x[:, None] - mixture.means) / mixture.standard_deviations
    reach = 8 + np.max((np.abs(x)[:, None] + np.abs(mixture.means)) / mixture.standard_deviations)
    alone = np.concatenate(
        [
            np.abs(scores[:, :k]),
            np.sqrt(gamma) * (1 + np.abs(z)) / mixture.standard_deviations,
            np.sqrt(gamma) * (1 + z**2) / mixture.variances,
        ],
        axis=1,
    )
    size = np.sqrt(counts @ alone**2)
    bound = 64 * np.finfo(float).eps * reach * (1 + np.abs(z).max()) ** 2 * np.outer(size, size)
    # Nor can an entry be nearer than its own rounding.
    bound = bound + 4 * np.finfo(float).eps * np.abs(expected)
    assert (np.abs(information - expected) <= bound + 1e-300).all()
    assert (np.abs(information - information.T) <= bound).all()


@pytest.mark.parametrize("function", WITH_COUNTS)
@given(
    drawn=mixtures_with_points(min_components=2, max_components=2, sizes=(6,)),
    counts=st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_counts_are_repetitions(function, drawn, counts):
    mixture, x = drawn
    # Padded to one length with points that do not exist, so that it compiles once.
    repeated = np.resize(np.repeat(x, counts) if sum(counts) else x, 18)
    exists = np.arange(18) < sum(counts)
    for counted, listed, at_most in zip(
        jax.tree.leaves(function(mixture, x, counts)),
        jax.tree.leaves(function(mixture, repeated, exists)),
        jax.tree.leaves(function(mixture, x, np.full(6, 3.0))),
        strict=True,
    ):
        size = np.abs(counted).max() + np.abs(at_most).max() + 1
        np.testing.assert_allclose(counted, listed, rtol=1e-11, atol=1e-11 * size)


@given(mixtures_with_points(min_components=2, sizes=(6,)))
def test_per_point_gradients_add_up_and_belong_to_their_points(drawn):
    mixture, x = drawn
    by_point = point_gradients(mixture, x)
    total = gradient(mixture, x)
    for name in ("weights", "means", "variances"):
        terms = getattr(by_point, name)
        assert terms.shape == (6, mixture.n_components)
        np.testing.assert_allclose(
            terms.sum(axis=0),
            getattr(total, name),
            rtol=1e-12,
            atol=1e-13 * np.abs(terms).sum(axis=0).max(),
        )
    # The last point alone has the last row: the others are weighted away.
    alone = gradient(mixture, x, [0, 0, 0, 0, 0, 1])
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(by_point, name)[-1], getattr(alone, name), rtol=1e-12)


@given(mixtures_with_points(min_components=2, sizes=(6,), largest_score=30.0))
def test_weights_forms_and_the_identity_that_links_them(drawn):
    mixture, x = drawn
    partial = weight_gradient(mixture, x)
    # Equation (11): it holds at every mixture, however far the points are.
    np.testing.assert_allclose(mixture.weights @ partial, 6, rtol=1e-13)
    size = np.abs(partial).max()
    projected = projected_weight_gradient(mixture, x)
    assert abs(projected.sum()) <= 1e-14 * size
    np.testing.assert_allclose(projected, partial - partial.mean(), rtol=0, atol=1e-14 * size)
    condition = lagrangian_weight_condition(mixture, x)
    np.testing.assert_allclose(condition, partial - 6, rtol=0, atol=1e-13 * (size + 6))
    logits = logit_gradient(mixture, x)
    np.testing.assert_allclose(logits, mixture.weights * condition, rtol=0, atol=1e-13 * 6)


def test_weights_that_solve_the_lagrangian_condition_are_mean_responsibilities():
    mixture = Mixture.from_arrays(weights=[0.2, 0.8], means=[-1, 1.5], variances=[0.5, 2])
    x = np.random.default_rng(1).normal(0, 2, 50)
    for _ in range(2_000):
        mixture = Mixture.from_arrays(
            weights=responsibilities(mixture, x).mean(axis=0),
            means=mixture.means,
            variances=mixture.variances,
        )
    np.testing.assert_allclose(lagrangian_weight_condition(mixture, x), 0, atol=1e-9)
    np.testing.assert_allclose(projected_weight_gradient(mixture, x), 0, atol=1e-9)
    np.testing.assert_allclose(logit_gradient(mixture, x), 0, atol=1e-9)
    np.testing.assert_allclose(weight_gradient(mixture, x), 50, rtol=1e-9)


def test_derivative_at_weight_zero_is_the_limit():
    x = np.array([3.0, 2.5, 0.1])

    def at(weight):
        return Mixture.from_arrays(weights=[weight, 1 - weight], means=[3, 0], variances=[1, 1])

    at_zero = weight_gradient(at(0.0), x)
    np.testing.assert_allclose(at_zero, weight_gradient(at(1e-14), x), rtol=1e-11)
    np.testing.assert_allclose(at_zero[0], np.exp(0.5 * (6 * x - 9)).sum(), rtol=1e-13)
    assert np.isfinite(observed_information(at(0.0), x)).all()
    np.testing.assert_allclose(
        observed_information(at(0.0), x)[0, 0], np.exp(6 * x - 9).sum(), rtol=1e-13
    )


@pytest.mark.parametrize("function", WITH_COUNTS)
def test_far_points_narrow_components_and_absent_ones_stay_finite(function):
    mixture = Mixture.from_arrays(
        weights=[0.0, 1e-12, 1 - 1e-12], means=[5e7, 1e8, -1e8], variances=[1, 1e-12, 1e12]
    )
    x = np.array([1e8, -1e8, 0.0, 1e8 + 1e-3, 1e12])
    for leaf in jax.tree.leaves(function(mixture, x)):
        assert np.isfinite(leaf).all()


def test_a_point_far_from_everything_keeps_the_digits_of_its_weight_gradient():
    mixture = Mixture.from_arrays(
        weights=[0.995, 0.005], means=[1e8, 1e8], variances=[146.0, 1.46e14]
    )
    # The wide component alone explains the point: its ratio is 1 / weight, whatever the density.
    np.testing.assert_allclose(weight_gradient(mixture, [1.2e10])[1], 200, rtol=1e-15)


@pytest.mark.parametrize("function", WITH_COUNTS)
def test_batches_go_through_vmap(function):
    x = np.random.default_rng(0).normal(size=(3, 6))
    batch = Mixture.from_arrays(
        weights=[[0.3, 0.7], [0.5, 0.5], [0.9, 0.1]],
        means=[[0, 1], [-1, 1], [0, 0]],
        variances=[[1, 2], [0.5, 0.5], [1, 9]],
    )
    with jax.enable_x64(True):
        together = jax.vmap(function)(batch, x)
    for b in range(3):
        one = function(jax.tree.map(lambda field, b=b: field[b], batch), x[b])
        for row, alone in zip(jax.tree.leaves(together), jax.tree.leaves(one), strict=True):
            np.testing.assert_allclose(row[b], alone, rtol=1e-12, atol=1e-13)


def test_the_gradient_is_shaped_like_the_mixture():
    mixture = Mixture.from_arrays(weights=[1.0], means=[0.0], variances=[2.0])
    slope = gradient(mixture, [1.0])
    assert jax.tree.structure(slope) == jax.tree.structure(mixture)
    np.testing.assert_allclose(slope.means, [0.5])
    np.testing.assert_allclose(slope.variances, [0.5 * (1 / 4 - 1 / 2)])
    np.testing.assert_allclose(slope.weights, [1.0])


def test_nothing_is_differentiated_automatically():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 1], variances=[1, 1])
    with jax.enable_x64(True):
        program = str(jax.make_jaxpr(log_density)(mixture, np.zeros(3)))
        by_hand = str(jax.make_jaxpr(gradient)(mixture, np.zeros(3)))
    # Autodiff leaves its traces in a program: transposes, tangents by name, or custom rules.
    assert "custom" not in by_hand
    assert by_hand.count(" exp ") <= 3 * program.count(" exp ")


def test_the_log_variances_follow_the_chain_rule():
    mixture = Mixture.from_arrays(weights=[0.3, 0.7], means=[-1, 2], variances=[0.5, 3])
    x = np.array([-2.0, -0.5, 0.4, 1.9, 5.0])
    np.testing.assert_allclose(
        log_variance_gradient(mixture, x), mixture.variances * variance_gradient(mixture, x), 1e-13
    )
