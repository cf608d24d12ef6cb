"""`ascent_path` from a given start: it is monotone, and ends at the fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, ascent_path, log_likelihood

X = mog_jax.datasets.faithful()
START = Mixture.from_arrays(weights=[0.5, 0.5], means=[50, 60], variances=[99, 99])


def rounding(path, n):
    return 16 * np.finfo(float).eps * max(n, np.abs(path.log_likelihood).max())


def in_common(path, other):
    # Rounding decides whether a last step, within rounding error, counts as a move.
    assert abs(len(path) - len(other)) <= 1
    return min(len(path), len(other))


@pytest.mark.parametrize("direction", ["newton", "em", "gradient"])
def test_each_direction_climbs_without_a_fall_and_ends_where_the_fit_is(direction):
    fit, path = mog_jax.fit(X), ascent_path(X, START, direction=direction)
    assert path.converged
    assert np.diff(path.log_likelihood).min() >= -rounding(path, X.size)
    np.testing.assert_allclose(path.log_likelihood[-1], fit.log_likelihood, rtol=1e-12)
    for field in ("weights", "means", "variances"):
        along = getattr(path.mixture, field)
        assert along.shape == (len(path), 2)
        np.testing.assert_allclose(along[0], getattr(START, field), rtol=1e-12)
        np.testing.assert_allclose(along[-1], getattr(fit.mixture, field), rtol=1e-5)
    assert len(path) <= path.n_passes


def test_the_likelihoods_are_those_of_the_mixtures():
    path = ascent_path(X, START)
    for i in range(len(path)):
        here = Mixture(
            **{f: getattr(path.mixture, f)[i] for f in ("weights", "means", "variances")}
        )
        np.testing.assert_allclose(path.log_likelihood[i], log_likelihood(here, X), rtol=1e-12)


def test_an_em_step_is_the_textbooks():
    path = ascent_path(X, START, direction="em", max_steps=2)
    gamma = np.asarray(mog_jax.responsibilities(START, X))
    counts = gamma.sum(axis=0)
    means = gamma.T @ X / counts
    variances = np.sum(gamma * (X[:, None] - means) ** 2, axis=0) / counts
    np.testing.assert_allclose(path.mixture.weights[1], counts / X.size, rtol=1e-12)
    np.testing.assert_allclose(path.mixture.means[1], means, rtol=1e-12)
    np.testing.assert_allclose(path.mixture.variances[1], variances, rtol=1e-10)
    assert (len(path), path.n_passes, path.converged) == (2, 2, False)


@given(
    st.floats(0.05, 0.95),
    st.floats(-2, 2),
    st.floats(-2, 2),
    st.tuples(st.floats(0.1, 2), st.floats(0.1, 2)),
    st.sampled_from(["newton", "em"]),
)
def test_from_any_start_it_climbs(weight, first, second, deviations, direction):
    start = Mixture.from_arrays(
        weights=[weight, 1 - weight],
        means=X.mean() + X.std() * np.array([first, second]),
        variances=np.square(X.std() * np.array(deviations)),
    )
    path = ascent_path(X, start, direction=direction, max_steps=300)
    assert np.diff(path.log_likelihood).min(initial=0) >= -rounding(path, X.size)
    assert np.isfinite(path.log_likelihood).all()


@given(st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_the_path_does_not_depend_on_the_units(scale, shift):
    path = ascent_path(X, START)
    moved = ascent_path(scale * X + shift, START.affine(scale, shift))
    steps, spread = in_common(path, moved), scale * X.std()
    expected = path.mixture.affine(scale, shift)
    np.testing.assert_allclose(
        moved.mixture.means[:steps], expected.means[:steps], atol=1e-6 * spread, rtol=0
    )
    np.testing.assert_allclose(
        moved.mixture.weights[:steps], path.mixture.weights[:steps], rtol=1e-6
    )


def test_counts_are_repetitions_and_nan_is_missing():
    values, counts = np.unique(X, return_counts=True)
    path = ascent_path(X, START)
    for other in (
        ascent_path(values, START, counts=counts),
        ascent_path(np.append(X, np.nan), START),
    ):
        steps = in_common(path, other)
        np.testing.assert_allclose(
            other.log_likelihood[:steps], path.log_likelihood[:steps], rtol=1e-10
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": np.stack([X, X])}, "one dataset"),
        ({"data": np.ones(9)}, "at least two different points"),
        ({"data": np.append(X, np.inf)}, "must be finite"),
        ({"direction": "down"}, "`direction` must be one of 'newton', 'em', 'gradient'; got 'do"),
        ({"start": "em"}, "`start` must be a Mixture; got str"),
        ({"max_steps": 0}, "`max_steps` must be at least 1; got 0"),
        ({"start": START.affine([1.0, 2.0], 0.0)}, r"fields of shape \(2,\); got \(2, 2\)"),
        (
            {"start": Mixture.from_arrays(weights=[0, 1], means=[0, 1], variances=[1, 1])},
            "positive weights",
        ),
        (
            {
                "start": Mixture(
                    weights=np.array([0.5, 0.5]), means=np.zeros(2), variances=-np.ones(2)
                )
            },
            "`variances` must be positive",
        ),
    ],
)
def test_what_cannot_be_climbed_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ascent_path(**({"data": X, "start": START} | arguments))


def test_it_says_what_happened():
    assert repr(ascent_path(X, START, max_steps=1)).endswith("in 1 passes, not converged)")
