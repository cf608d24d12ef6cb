"""The interval likelihood's derivatives by hand: exact, proved, and against autodiff."""

import jax
import numpy as np
import pytest
import sympy
from hypothesis import given, settings

from mog_jax import intervals
from mog_jax.crosscheck.exact import evaluate
from mog_jax.fitting.data.intervals import Observed
from mog_jax.fitting.intervals import kernel
from mog_jax.fitting.intervals.observations import standardised
from tests.intervals.draws import coordinates_and_intervals

DRAWN = coordinates_and_intervals(5)


def in_double(function):
    compiled = jax.jit(function)

    def called(*drawn):
        with jax.enable_x64(True):
            return np.asarray(compiled(*drawn))

    return called


LOG_LIKELIHOOD = in_double(intervals.log_likelihood)
GRADIENT = in_double(intervals.gradient)
INFORMATION = in_double(intervals.observed_information)
EM_STEP = in_double(intervals.em_step)
AUTODIFF = in_double(jax.grad(intervals.log_likelihood))
SLOPES = in_double(jax.jacfwd(intervals.gradient))


def size(drawn):
    """What the terms of a sum over the intervals may be, each by its count."""
    theta, centre, _, counts = drawn
    z = [np.abs(centre - theta[1 + k]) * np.exp(-0.5 * theta[3 + k]) for k in (0, 1)]
    return np.abs(counts) @ (1 + np.maximum(*z)) ** 4 * np.exp(-min(theta[3], theta[4], 0))


@pytest.mark.parametrize(
    "half_width", [0.0, 0.3, 5.0, np.inf, -np.inf], ids=["point", "narrow", "wide", "up", "down"]
)
@pytest.mark.parametrize(
    ("by_hand", "reference"),
    [
        (intervals.gradient, jax.grad(intervals.log_likelihood)),
        (intervals.observed_information, jax.jacfwd(intervals.gradient)),
    ],
    ids=["gradient", "information"],
)
def test_derivatives_are_right_in_exact_arithmetic(by_hand, reference, half_width):
    theta = np.array([0.3, -0.2, 1.5, -0.2, 0.7])
    drawn = theta, np.array([0.5]), np.array([half_width]), np.array([2.0])
    with jax.enable_x64(True):
        found, known = (
            evaluate(jax.make_jaxpr(function)(*drawn), drawn, digits=30)[0].ravel()
            for function in (by_hand, reference)
        )
    sign = -1 if by_hand is intervals.observed_information else 1
    for mine, other in zip(found, known, strict=True):
        # Formulas that differ by less than the rounding of a constant are the same.
        assert abs(float(mine - sign * other)) <= 1e-15 * (1 + abs(float(other)))


@given(DRAWN)
def test_derivatives_are_those_of_the_likelihood(drawn):
    small = size(drawn)
    np.testing.assert_allclose(
        GRADIENT(*drawn), AUTODIFF(*drawn), rtol=1e-9, atol=1e-12 * size(drawn)
    )
    slopes = SLOPES(*drawn)
    # If an interval's probability underflows, autodiff of the gradient is NaN.
    slopes = np.where(np.isnan(slopes), -INFORMATION(*drawn), slopes)
    np.testing.assert_allclose(INFORMATION(*drawn), -slopes, rtol=1e-8, atol=1e-11 * small)


@given(DRAWN)
def test_em_does_not_descend(drawn):
    theta, centre, half_width, counts = drawn
    # An empty dataset has no expectation; and an empty component has no mean.
    counts = np.abs(counts) + 0.5
    stepped = EM_STEP(theta, centre, half_width, counts)
    if np.isfinite(stepped).all() and np.abs(stepped).max() < 30:
        before = LOG_LIKELIHOOD(theta, centre, half_width, counts)
        after = LOG_LIKELIHOOD(stepped, centre, half_width, counts)
        assert after >= before - 1e-9 * (1 + abs(before))


@given(DRAWN)
@settings(max_examples=20)
def test_the_fitters_program_gives_the_same_sums(drawn):
    theta, centre, half_width, counts = drawn
    data = standardised([Observed(centre, half_width, counts, 1.0, 0)])
    if not data.is_usable[0]:
        return
    mean, scale = data.mean[0], data.scale[0]
    there = np.array([theta[0], *(theta[1:3] - mean) / scale, *(theta[3:] - 2 * np.log(scale))])
    sums = kernel.evaluate(there[None], np.zeros(1, np.int64), data)
    value = LOG_LIKELIHOOD(*drawn)
    jacobian = counts[half_width == 0].sum() * np.log(scale)
    np.testing.assert_allclose(
        sums.log_likelihood[0] - jacobian, value, rtol=1e-9, atol=1e-10 * size(drawn)
    )
    unit = np.array([1, scale, scale, 1, 1])
    np.testing.assert_allclose(
        sums.gradient[0] / unit, GRADIENT(*drawn), rtol=1e-7, atol=1e-9 * size(drawn)
    )


def test_second_derivatives_of_a_component_are_proved():
    x, mean, rho = sympy.symbols("x mu rho", real=True)
    density = sympy.exp(-((x - mean) ** 2) / (2 * sympy.exp(rho)) - rho / 2)
    z = (x - mean) * sympy.exp(-rho / 2)
    sigma = sympy.exp(rho / 2)
    claims = {
        (mean,): z / sigma,
        (rho,): (z**2 - 1) / 2,
        (mean, mean): (z**2 - 1) / sigma**2,
        (mean, rho): (z**3 - 3 * z) / (2 * sigma),
        (rho, rho): (z**4 - 4 * z**2 + 1) / 4,
    }
    for by, claim in claims.items():
        assert sympy.simplify(sympy.diff(density, *by) / density - claim) == 0


def test_moments_are_proved_by_parts():
    z = sympy.symbols("z", real=True)
    phi = sympy.exp(-(z**2) / 2)
    for j in range(4):
        below = j * z ** (j - 1) * phi if j else 0
        assert sympy.simplify(sympy.diff(z**j * phi, z) - (below - z ** (j + 1) * phi)) == 0
