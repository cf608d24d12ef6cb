import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mog_jax import Mixture
from mog_jax.inference import ashman_d, bimodality_index, modes
from tests.inference.cases import TRUTH, mixture_of, pairs, stacked


def slope(mixture, x):
    """Derivative of the density at an mpmath number."""
    return sum(
        mpmath.mpf(w) * mpmath.npdf(x, m, mpmath.sqrt(mpmath.mpf(v))) * (mpmath.mpf(m) - x) / v
        for w, m, v in zip(
            np.asarray(mixture.weights).tolist(),
            np.asarray(mixture.means).tolist(),
            np.asarray(mixture.variances).tolist(),
            strict=True,
        )
    )


def turns(mixture, steps=400):
    """Count the sign changes of the density's derivative on a grid fine at both means."""
    low, high = np.asarray(mixture.means)
    logits = np.linspace(-60, 60, steps)
    with mpmath.workdps(80):
        inside = [low + (high - low) / (1 + mpmath.exp(-mpmath.mpf(y))) for y in logits.tolist()]
        signs = [mpmath.sign(slope(mixture, x)) for x in inside]
    changes = [a != b for a, b in itertools.pairwise(signs)]
    # Modes nearer to a mean than the grid reaches.
    return sum(changes) + (signs[0] < 0) + (signs[-1] > 0)


@given(pairs(separation=(0.01, 6.0)))
@example(Mixture.from_arrays(weights=[0.5, 0.5], means=[-1.001, 1.001], variances=[1, 1]))
@example(Mixture.from_arrays(weights=[0.5, 0.5], means=[-0.999, 0.999], variances=[1, 1]))
def test_modes_are_counted_and_placed_exactly(mixture):
    found = modes(mixture)
    expected = (turns(mixture) + 1) // 2
    if expected != found.count:
        # Only a pair of turns between two points of the grid may escape the slow count.
        assert turns(mixture, steps=20_000) == 2 * found.count - 1
    low, high = np.asarray(mixture.means)
    places = [*found.places[: int(found.count)], *([found.antimode] if found.count == 2 else [])]
    with mpmath.workdps(60):
        for place in places:
            assert low <= place <= high
            reach = mpmath.mpf(1e-9) * max(abs(low), abs(high), abs(high - low))
            below, above = (slope(mixture, mpmath.mpf(float(place)) + s * reach) for s in (-1, 1))
            assert below * above < 0
    if found.count == 2:
        assert found.places[0] < found.antimode < found.places[1]


@pytest.mark.parametrize("distance", [1.99, 2.0, 2.01])
def test_equal_halves_part_at_two_standard_deviations(distance):
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, distance], variances=[1, 1])
    assert modes(mixture).count == (2 if distance > 2 else 1)


@given(pairs(separation=(0.0, 8.0)))
def test_the_mirror_image_has_the_mirrored_modes(mixture):
    assume(np.ptp(mixture.means) > 0)
    found, turned = modes(mixture), modes(mixture.affine(-1.0, 0.0).ordered())
    reach = max(np.abs(np.asarray(mixture.means)))
    expected = -found.places[::-1] if found.count == 2 else -found.places
    assert turned.count == found.count
    np.testing.assert_allclose(turned.places, expected, rtol=0, atol=1e-7 * reach)


def test_equal_means_have_one_mode_there():
    found = modes(Mixture.from_arrays(weights=[0.2, 0.8], means=[3, 3], variances=[1, 9]))
    assert (found.count, found.places[0]) == (1, 3)
    assert np.isnan([found.places[1], found.antimode]).all()


def test_a_batch_is_its_members_and_nan_counts_zero():
    members = [
        Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 5], variances=[1, 2]),
        Mixture(weights=np.full(2, np.nan), means=np.full(2, np.nan), variances=np.ones(2)),
        Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 1], variances=[1, 2]),
    ]
    found = modes(stacked(members))
    assert found.count.tolist() == [2, 0, 1]
    np.testing.assert_array_equal(found.places[0], modes(members[0]).places)
    assert np.isnan(found.places[1]).all()


@pytest.mark.parametrize("name", TRUTH)
def test_the_bimodality_index_is_the_published_one(name):
    mixture = mixture_of(TRUTH[name]["equal_variances"])
    found = bimodality_index(mixture)
    np.testing.assert_allclose(found, TRUTH[name]["bimodality_index"], rtol=1e-6)


def test_the_bimodality_index_of_unequal_variances_is_nan():
    assert np.isnan(bimodality_index(mixture_of(TRUTH["acidity"])))


@given(pairs(), st.floats(0.1, 10), st.floats(-5, 5))
def test_ashmans_d_knows_no_units(mixture, scale, shift):
    expected = np.sqrt(2) * np.ptp(mixture.means) / np.sqrt(np.sum(mixture.variances))
    span = float(np.max(mixture.standard_deviations))
    np.testing.assert_allclose(ashman_d(mixture), expected, rtol=1e-12)
    moved = ashman_d(mixture.affine(scale, shift * span))
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-9)
