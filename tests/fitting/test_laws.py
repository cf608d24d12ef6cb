"""Laws of the fit on drawn data: how it changes with the data's order, unit, counts and so on.

Errors of parameters are in standard errors, those of log-likelihoods in nats a point: numbers that
mean the same for every dataset.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, Ragged, Status
from mog_jax.fitting.climb.ascent import Columns, ascend, begin
from mog_jax.fitting.climb.derivatives import unpack
from mog_jax.fitting.climb.directions import DIRECTIONS, local_model
from mog_jax.kernel import lane_sums, totals
from tests.fitting.draws import SIZE, datasets, two_clear_components

# In standard errors: two climbs that end at one maximum end this near to each other.
SAME = 1e-6
LAWS = settings(max_examples=12)


def assert_same(found, expected, times=1.0):
    """Compare one fit with another of the same data, or of `times` as many, up to rounding."""
    assert found.status == expected.status
    n = float(expected.n_points)
    np.testing.assert_allclose(
        found.log_likelihood / (times * n), expected.log_likelihood / n, rtol=0, atol=1e-11
    )
    errors = expected.standard_errors()
    # Parameters are compared only if the maximum is a single point.
    if expected.converged and not np.isnan(errors.means).any():
        for field in ("weights", "means", "variances"):
            gap = getattr(found.mixture, field) - getattr(expected.mixture, field)
            np.testing.assert_allclose(gap / getattr(errors, field), 0, atol=SAME, err_msg=field)


def moved_back(fit, scale, shift):
    """Return the fit of ax + b in the units of x."""
    mixture = fit.mixture.affine(1 / scale, -shift / scale).ordered()
    return mixture, fit.log_likelihood + fit.n_points * np.log(abs(scale))


@LAWS
@given(
    two_clear_components(),
    st.sampled_from([1.0, -1.0, 1e-8, -3.7, 2.0**40]),
    st.sampled_from([0.0, 7.0, -1e6, 1e12]),
)
def test_a_change_of_units_changes_the_units_alone(x, scale, shift):
    moved = scale * x + scale * shift
    fit, other = mog_jax.fit(np.stack([x, moved]))
    assert fit.status == other.status == Status.CONVERGED
    mixture, value = moved_back(other, scale, scale * shift)
    # A shift takes digits off the points themselves: half an ulp of each, and the maximum follows.
    lost = np.spacing(np.abs(shift) + np.abs(x).max())
    errors = fit.standard_errors()
    allowed = SAME + 1e3 * lost
    assert abs(value - fit.log_likelihood) <= SIZE * (1e-11 + 1e2 * lost)
    for field in ("weights", "means", "variances"):
        gap = getattr(mixture, field) - getattr(fit.mixture, field)
        np.testing.assert_allclose(gap / getattr(errors, field), 0, atol=allowed, err_msg=field)


@LAWS
@given(datasets(), st.integers(0, 100))
def test_powers_of_two_change_nothing_but_exponents(x, seed):
    exponent = int(np.random.default_rng(seed).integers(-200, 200))
    fit, other = mog_jax.fit(np.stack([x, x * 2.0**exponent]))
    assert other.status == fit.status
    np.testing.assert_array_equal(other.mixture.weights, fit.mixture.weights)
    np.testing.assert_allclose(other.mixture.means, fit.mixture.means * 2.0**exponent, rtol=1e-15)
    np.testing.assert_allclose(
        other.mixture.variances, fit.mixture.variances * 4.0**exponent, rtol=1e-15
    )


@LAWS
@given(datasets(), st.permutations(range(SIZE)))
def test_the_order_of_the_points_does_not_matter_at_all(x, order):
    fit, other = mog_jax.fit(np.stack([x, x[order]]))
    for one, two in zip(jax.tree.leaves(fit), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(two, one)


# Counts that are repetitions are searched as they are, fractional and very many ones by a sample:
# so these laws are about data whose best maximum is not in bounds.


@LAWS
@given(two_clear_components(), st.lists(st.integers(0, 3), min_size=SIZE, max_size=SIZE))
def test_counts_repeat_points_and_a_scale_of_theirs_changes_the_scale_alone(x, times):
    counts = np.array(times)
    counts[:40] = np.maximum(counts[:40], 1)
    counted, scaled = mog_jax.fit(np.stack([x, x]), counts=np.stack([counts, 3.7 * counts]))
    # Filled up with missing values: every example has one size, and its programs.
    many = np.pad(np.repeat(x, counts), (0, 3 * SIZE - counts.sum()), constant_values=np.nan)
    (repeated,) = mog_jax.fit(many[None])
    assert_same(counted, repeated)
    assert_same(scaled, counted, times=3.7)
    # Off the diagonal entries nearly cancel: their error is that of those on it.
    known = 1e-7 * np.abs(counted.information).max()
    np.testing.assert_allclose(scaled.information, 3.7 * counted.information, rtol=1e-6, atol=known)


@LAWS
@given(two_clear_components(), st.lists(st.floats(0.0, 1.0), min_size=SIZE, max_size=SIZE))
def test_a_count_can_be_split(x, shares):
    share = np.array(shares)
    split, whole = mog_jax.fit(
        np.stack([np.concatenate([x, x])] * 2),
        counts=np.stack([np.concatenate([share, 1 - share]), np.repeat([1.0, 0.0], SIZE)]),
    )
    assert_same(split, whole)


@LAWS
@given(st.lists(datasets(), min_size=3, max_size=3))
def test_a_batch_is_a_loop(rows):
    together = mog_jax.fit(np.stack(rows))
    for fit, row in zip(together, rows, strict=True):
        alone = mog_jax.fit(row)
        assert fit.status == alone.status
        assert fit.n_passes == alone.n_passes
        np.testing.assert_allclose(fit.log_likelihood, alone.log_likelihood, rtol=1e-12)
        np.testing.assert_allclose(fit.mixture.means, alone.mixture.means, rtol=1e-12, atol=1e-12)


@LAWS
@given(datasets(), st.sets(st.integers(0, SIZE - 1), min_size=1, max_size=25))
def test_missing_is_dropped_and_ragged_is_padded(x, missing):
    holed = x.copy()
    holed[list(missing)] = np.nan
    rest = holed[~np.isnan(holed)]
    matrix = mog_jax.fit(np.stack([holed, x]))
    ragged = mog_jax.fit(Ragged(np.concatenate([rest, x]), [rest.size, SIZE]))
    counted = mog_jax.fit(
        np.stack([np.nan_to_num(holed), x]), counts=np.stack([~np.isnan(holed), np.ones(SIZE)])
    )
    assert matrix.n_missing.tolist() == [len(missing), 0]
    assert ragged.n_missing.tolist() == [0, 0]
    for others in (ragged, counted):
        for other, fit in zip(others, matrix, strict=True):
            assert_same(other, fit)


BAD = {
    "constant": np.full(SIZE, 4.0),
    "infinite": np.where(np.arange(SIZE) == 7, -np.inf, 1.0),
    "missing": np.full(SIZE, np.nan),
    "one point": np.where(np.arange(SIZE) == 7, 1.0, np.nan),
    "two values": np.arange(SIZE) % 2 * 1e9,
    "denormal": np.linspace(0, 1e-310, SIZE),
    "huge": np.linspace(-1, 1, SIZE) * 1e308,
}


@LAWS
@given(datasets(), st.sampled_from(sorted(BAD)), st.integers(0, 2))
def test_whatever_stands_beside_a_dataset_its_numbers_are_the_same(x, name, place):
    good = np.stack([x, x[::-1]])
    beside = mog_jax.fit(np.insert(good, place, BAD[name], axis=0))
    alone = mog_jax.fit(good)
    kept = np.delete(np.arange(3), place)
    for one, two in zip(jax.tree.leaves(beside), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(one[kept], two, rtol=1e-12, atol=1e-12)
    assert beside[place].status != Status.CONVERGED


@LAWS
@given(datasets(least_separation=2.0), st.booleans())
def test_the_components_of_a_start_may_be_swapped(x, first):
    """With one component fixed at the fit's own values, the other is found under either label.

    Of the highest regular maxima: which ranks best may change with what is held.
    """
    fit = mog_jax.fit(x, choose="regular")
    assume(fit.status == Status.CONVERGED)
    value = fit.mixture.means[int(first)]
    one, two = (
        mog_jax.fit(x, fixed={name: value}, choose="regular") for name in ("mean_1", "mean_2")
    )
    assert one.status == two.status
    np.testing.assert_allclose(two.log_likelihood, one.log_likelihood, rtol=1e-11)
    assert one.log_likelihood >= fit.log_likelihood - 1e-9


# One climb, step by step: against the textbook, written out in NumPy or differentiated by JAX.

THETAS = st.tuples(
    st.floats(-2, 2), st.floats(-1.5, 0.5), st.floats(-0.5, 1.5), st.floats(-3, 0.5),
    st.floats(-3, 0.5),
).map(np.array)  # fmt: skip


def standard(x):
    return (x - x.mean()) / x.std()


@jax.jit
def viewed(theta, z):
    at = tuple(theta)
    view = local_model(at, lane_sums(unpack(at), z, totals(z)), None, False, smallest=-1e3)
    em = jnp.stack(DIRECTIONS["em"].propose(view, jnp.ones(())))
    newton = jnp.stack(view.newton_move)
    return em, newton, jnp.stack(view.gradient), view.information.dense(), view.concave


def textbook_em(theta, z):
    weight = 1 / (1 + np.exp(-theta[0]))
    weights, means, variances = np.array([weight, 1 - weight]), theta[1:3], np.exp(theta[3:])
    densities = (
        weights * np.exp(-((z[:, None] - means) ** 2) / (2 * variances)) / np.sqrt(variances)
    )
    gamma = densities / densities.sum(axis=1, keepdims=True)
    held = gamma.sum(axis=0)
    means = (gamma * z[:, None]).sum(axis=0) / held
    variances = (gamma * (z[:, None] - means) ** 2).sum(axis=0) / held
    return np.array([np.log(held[0] / held[1]), *means, *np.log(variances)])


@given(datasets(), THETAS)
def test_the_em_direction_is_the_textbooks_em_step(x, theta):
    z = standard(x)
    with jax.enable_x64(True):
        em, *_ = viewed(theta, z)
    expected = textbook_em(theta, z) - theta
    np.testing.assert_allclose(em, expected, rtol=1e-9, atol=1e-9)


@jax.jit
def textbook_newton(theta, z):
    def value(theta):
        weights = jax.nn.softmax(jnp.stack([theta[0], jnp.zeros_like(theta[0])]))
        mixture = Mixture(weights=weights, means=theta[1:3], variances=jnp.exp(theta[3:]))
        return mog_jax.log_likelihood(mixture, z)

    return jax.grad(value)(theta), jax.hessian(value)(theta)


@given(datasets(), THETAS)
def test_the_newton_direction_is_autodiffs_newton_step(x, theta):
    z = standard(x)
    with jax.enable_x64(True):
        _, newton, gradient, information, concave = viewed(theta, z)
        slope, hessian = (np.asarray(part) for part in textbook_newton(theta, z))
    size = np.abs(hessian).max()
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-11 * size)
    np.testing.assert_allclose(information, -hessian, rtol=1e-9, atol=1e-11 * size)
    curvature = np.linalg.eigvalsh(-hessian)
    # Within rounding of singular either answer is right.
    assume(np.abs(curvature).min() > 1e-9 * np.abs(curvature).max())
    assert bool(concave) == bool(curvature.min() > 0)
    if curvature.min() > 0:
        expected = np.linalg.solve(-hessian, slope)
        condition = np.abs(curvature).max() / curvature.min()
        allowed = 1e-12 * condition * np.abs(expected).max()
        np.testing.assert_allclose(newton, expected, rtol=1e-9, atol=allowed)


@jax.jit
def climbed(theta, z, steps):
    data = Columns(x=z, totals=totals(z), counts=None, free=jnp.ones(theta.shape, bool))
    options = {"tolerance": 1e-9, "smallest": np.log(1e-6), "max_steps": 500}
    ends = {}
    for name, direction in DIRECTIONS.items():
        state = dataclasses.replace(begin(np.zeros(5)), theta=theta, proposal=theta)
        ends[name] = ascend(state, data, direction=direction, steps=steps, **options)
    return ends


@settings(max_examples=20)
@given(datasets(), THETAS)
def test_every_direction_climbs_and_never_falls(x, theta):
    z = standard(x)
    values = {name: [] for name in DIRECTIONS}
    with jax.enable_x64(True):
        for steps in (1, 2, 3, 5, 8, 13, 21):
            for name, end in climbed(theta, z, np.int32(steps)).items():
                values[name].append(float(end.sums.log_likelihood))
    for name, climb in values.items():
        assert np.isfinite(climb).all(), name
        # What a comparison of two log-likelihoods cannot tell, at each step.
        assert (np.diff(climb) >= -1e-11 * SIZE).all(), (name, climb)
    # The gain left is not zero: from almost every start there is something to gain.
    assert values["newton"][-1] >= values["newton"][0]


@settings(max_examples=20)
@given(two_clear_components(), st.integers(1, 12))
def test_gain_left_is_what_is_left_near_the_maximum(x, steps):
    z = standard(x)
    top = mog_jax.fit(z)
    assume(top.status == Status.CONVERGED)
    at = jax.tree.map(lambda field: np.asarray(field), top.mixture)
    theta = np.array([np.log(at.weights[0] / at.weights[1]), *at.means, *np.log(at.variances)])
    # A tenth of a standard error away, in a direction that the number of steps picks.
    errors = np.sqrt(np.diagonal(np.linalg.inv(top.information)))
    theta = theta + 0.1 * errors * np.cos(np.arange(5) * steps)
    with jax.enable_x64(True):
        # One pass evaluates the start, without a move.
        end = climbed(theta, z, np.int32(1))["newton"]
    left = float(top.log_likelihood) - float(end.sums.log_likelihood)
    assert 0 < left < 0.5
    np.testing.assert_allclose(end.gain_left, left, rtol=0.5, atol=1e-12)


@LAWS
@given(datasets(), st.sampled_from([np.float32, np.float64, np.int64, np.bool_]))
def test_the_answer_has_the_precision_of_the_data_and_the_flag_is_left_alone(x, dtype):
    data = (x > np.median(x)) if dtype == np.bool_ else np.round(x, 3).astype(dtype)
    fit = mog_jax.fit(data)
    precision = np.float32 if dtype == np.float32 else np.float64
    for value in (fit.mixture.means, fit.log_likelihood, fit.gain_left, fit.information):
        assert np.asarray(value).dtype == precision
    assert fit.n_points == SIZE
    assert jax.dtypes.canonicalize_dtype(np.float64) == np.float32
    if dtype == np.float32 and fit.converged:
        double = mog_jax.fit(data.astype(np.float64))
        gap = (fit.log_likelihood - double.log_likelihood) / SIZE
        assert abs(gap) < 1e-4
