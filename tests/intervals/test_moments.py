"""Truncated moments against mpmath, from a point to a half-line 37 standard deviations away."""

import jax
import mpmath
import numpy as np
import pytest

from mog_jax import self_check
from mog_jax.intervals import truncated_moments
from mog_jax.intervals.moments import narrow_moments

CENTRES = [0.0, 0.3, 1.0, 3.0, 5.0, 9.0, 15.0, 25.0, 25.1, 37.0]
HALF_WIDTHS = [0.0, 1e-12, 1e-6, 0.01, 0.1, 0.5, 1.0, 1.9, 2.1, 4.0, 10.0, np.inf, -np.inf]
CASES = [(s * c, d) for c in CENTRES for s in (1, -1) for d in HALF_WIDTHS]


def exact(centre, half_width):
    """Log-probability and four moments from their definition by tails, with enough digits."""
    c = mpmath.mpf(centre)
    if half_width == 0:
        return [mpmath.log(mpmath.npdf(c)), *(c**j for j in range(1, 5))]
    if np.isinf(half_width):
        low, high = (c, mpmath.inf) if half_width > 0 else (-mpmath.inf, c)
    else:
        low, high = c - mpmath.mpf(half_width), c + mpmath.mpf(half_width)
    mirrored = half_width > 0 if np.isinf(half_width) else centre > 0
    low, high = (-high, -low) if mirrored else (low, high)

    def below(z):
        return mpmath.erfc(-z / mpmath.sqrt(2)) / 2

    def term(z, power):
        return 0 if mpmath.isinf(z) else z**power * mpmath.npdf(z)

    mass = below(high) - below(low)
    first, second, third, fourth = ((term(high, j) - term(low, j)) / mass for j in range(4))
    sign = -1 if mirrored else 1
    moments = [-first, 1 - second, -2 * first - third, 3 * (1 - second) - fourth]
    return [mpmath.log(mass), sign * moments[0], moments[1], sign * moments[2], moments[3]]


def fields(moments):
    kept = moments.log_mass, moments.m1, moments.m2, moments.m3, moments.m4
    return np.stack([np.asarray(field) for field in kept])


def is_close(found, centre, half_width):
    with mpmath.workdps(330):
        truth = [float(value) for value in exact(centre, half_width)]
    log_mass, *moments = found
    assert abs(log_mass - truth[0]) <= 2e-15 * (1 + abs(truth[0]))
    # Where the mean is nearly 0, to what the values themselves are.
    spread = abs(centre) + min(abs(half_width), 1)
    scale = [np.abs(true) + 1e-3 * spread**j for j, true in enumerate(truth[1:], 1)]
    error = np.abs(moments - np.array(truth[1:]))
    assert (error <= 2e-13 * np.array(scale)).all()


@pytest.fixture(scope="module")
def found():
    centre, half_width = (np.array(column) for column in zip(*CASES, strict=True))
    with jax.enable_x64(True):
        return fields(truncated_moments(centre, half_width))


@pytest.mark.parametrize("place", range(len(CASES)), ids=[f"{c:g}±{d:g}" for c, d in CASES])
def test_moments_are_those_of_the_definition(found, place):
    is_close(found[:, place], *CASES[place])


NARROW = [(c, min(0.25, 1 / c)) for c in (1e-9, 0.3, 1.0, 3.99, 4.01, 9.0, 37.0)]
NARROW += [(-c, share * d) for c, d in NARROW for share in (1.0, 0.1, 1e-9, 0.0)] + [(0.0, 0.25)]


@pytest.fixture(scope="module")
def by_series():
    with jax.enable_x64(True):
        return fields(narrow_moments(*(np.array(column) for column in zip(*NARROW, strict=True))))


@pytest.mark.parametrize("place", range(len(NARROW)), ids=[f"{c:g}±{d:g}" for c, d in NARROW])
def test_the_series_of_narrow_intervals_is_as_good(by_series, place):
    centre, half_width = NARROW[place]
    with mpmath.workdps(330):
        truth = [float(value) for value in exact(centre, half_width)]
    found = by_series[:, place]
    assert abs(found[0] - truth[0]) <= 2e-15 * (1 + abs(truth[0]))
    # Derivatives are made of the means of Hermite's polynomials, of which 1 is a part.
    error = np.abs(found[1:] - np.array(truth[1:]))
    assert (error <= 1e-14 * (1 + abs(centre)) ** np.arange(1, 5)).all()


def test_moments_do_not_jump_between_the_ways_to_compute_them():
    edges = np.array([2.0, 1.6, 8 / 9])
    centres = np.array([1.0, 5.0, 9.0])
    with jax.enable_x64(True):
        narrow = truncated_moments(centres, edges * (1 - 1e-15))
        wide = truncated_moments(centres, edges * (1 + 1e-14))
    for one, other in zip(fields(narrow), fields(wide), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_mean_over_an_interval_is_the_slope_of_its_probability():
    name = "intervals.truncated_moments"
    (claim,) = (claim for claim in self_check.self_checks() if claim.name == name)
    report = claim.check(examples=20, name=name)
    assert report.ok, report
