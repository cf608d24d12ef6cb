"""Truncated moments against mpmath, from a point to a half-line 37 standard deviations away."""

import jax
import mpmath
import numpy as np
import pytest

from mog_jax.intervals import truncated_moments

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


@pytest.fixture(scope="module")
def found():
    centre, half_width = (np.array(column) for column in zip(*CASES, strict=True))
    with jax.enable_x64(True):
        return np.stack([np.asarray(field) for field in truncated_moments(centre, half_width)])


@pytest.mark.parametrize("place", range(len(CASES)), ids=[f"{c:g}±{d:g}" for c, d in CASES])
def test_moments_are_those_of_the_definition(found, place):
    with mpmath.workdps(330):
        truth = [float(value) for value in exact(*CASES[place])]
    log_mass, *moments = found[:, place]
    assert abs(log_mass - truth[0]) <= 2e-15 * (1 + abs(truth[0]))
    # Where the mean is nearly 0, to what the values themselves are.
    spread = abs(CASES[place][0]) + min(abs(CASES[place][1]), 1)
    scale = [np.abs(true) + 1e-3 * spread**j for j, true in enumerate(truth[1:], 1)]
    error = np.abs(moments - np.array(truth[1:]))
    assert (error <= 2e-13 * np.array(scale)).all()


def test_moments_do_not_jump_between_the_ways_to_compute_them():
    edges = np.array([2.0, 1.6, 8 / 9])
    centres = np.array([1.0, 5.0, 9.0])
    with jax.enable_x64(True):
        narrow = truncated_moments(centres, edges * (1 - 1e-15))
        wide = truncated_moments(centres, edges * (1 + 1e-14))
    for one, other in zip(narrow, wide, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
