r"""What this package claims about itself: each hand-written derivative, against autodiff.

Every function of `mog_jax.gradients` is held against the reverse and the forward derivative of the
jitted textbook log-likelihood, on mixtures and data drawn by Hypothesis.

**When do two numbers disagree?** Both sides are rounded, and how much that may matter depends on
the input: a sum whose terms cancel, or a point far out in a tail, magnifies the rounding of the
inputs themselves. To first order a relative perturbation :math:`\delta_z` of each input
:math:`z` (weights, means, variances, points, and each point's count, whose perturbation is that of
its term in the sum) moves output :math:`j` by at most :math:`u\,S_j`, where :math:`u` is half an
ulp of 1 and

.. math:: S_j=\sum_z\Big|z\,\frac{\partial\,\mathrm{out}_j}{\partial z}\Big| .

The disagreement is reported in *roundings*, :math:`|a-b|/(u\,S_j)`: how many roundings of every
input would explain it. :math:`S_j` comes from autodiff, never from the code that is being
checked, which would grant itself slack. Between the inputs and a term lie about 20 operations on
either side, and adding n terms makes at most n more: that is the budget. Where the entry itself
is smaller than its budget, as at a maximum, a draw cannot tell right from wrong; it is not counted
as informative.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from mog_jax import gradients
from mog_jax.likelihood import log_density, log_likelihood
from mog_jax.mixture import Mixture

SIZES = (1, 2, 7, 50, 200)
_OPERATIONS = 40

Derivative = Callable[[Mixture, jax.Array, jax.Array], Any]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A hand-written function, and how autodiff of the textbook likelihood says the same."""

    name: str
    by_hand: Derivative
    reverse: Derivative
    forward: Derivative


@dataclasses.dataclass(frozen=True)
class Finding:
    """How one claim fared over all draws; roundings as defined in the module's docstring."""

    name: str
    examples: int
    informative: int
    worst_roundings: float
    budget: float
    where: str

    @property
    def ok(self) -> bool:
        """Whether autodiff agreed on every draw, and some draw could tell."""
        return self.worst_roundings <= self.budget and self.informative > 0


def claims() -> list[Claim]:
    """List every hand-written derivative of the package with its two witnesses."""

    def on_fields(function: Callable[..., Any]) -> Callable[[Any], Derivative]:
        def with_autodiff(derive: Any) -> Derivative:
            return lambda mixture, x, counts: derive(lambda m: function(m, x, counts))(mixture)

        return with_autodiff

    of_likelihood = on_fields(log_likelihood)
    of_points = on_fields(lambda mixture, x, counts: log_density(mixture, x))

    def claim(
        name: str, derive: Callable[[Any], Derivative], read: Callable[..., Any] | None = None
    ) -> Claim:
        def witness(autodiff: Any) -> Derivative:
            derivative = derive(autodiff)
            if read is None:
                return derivative
            return lambda mixture, x, counts: read(derivative(mixture, x, counts), mixture, counts)

        by_hand = getattr(gradients, name)
        if name == "point_gradients":
            return Claim(
                name, lambda m, x, counts: by_hand(m, x), witness(jax.jacrev), witness(jax.jacfwd)
            )
        return Claim(name, by_hand, witness(jax.jacrev), witness(jax.jacfwd))

    def of_coordinates(autodiff: Any) -> Derivative:
        def derivative(mixture: Mixture, x: jax.Array, counts: jax.Array) -> Any:
            # The weights as they are times e^logit / sum: the softmax at logits of 0.
            def at(logits: jax.Array, log_variances: jax.Array) -> jax.Array:
                shifted = Mixture(
                    weights=_renormalised(mixture.weights * jnp.exp(logits), mixture.weights),
                    means=mixture.means,
                    variances=mixture.variances * jnp.exp(log_variances),
                )
                return log_likelihood(shifted, x, counts)

            zero = jnp.zeros_like(mixture.weights)
            return autodiff(at, argnums=(0, 1))(zero, zero)

        return derivative

    def of_gradient(autodiff: Any) -> Derivative:
        return of_likelihood(lambda function: autodiff(jax.grad(function)))

    return [
        claim("mean_gradient", of_likelihood, lambda g, m, c: g.means),
        claim("variance_gradient", of_likelihood, lambda g, m, c: g.variances),
        claim("weight_gradient", of_likelihood, lambda g, m, c: g.weights),
        claim(
            "lagrangian_weight_condition",
            of_likelihood,
            lambda g, m, c: g.weights - jnp.sum(c),
        ),
        claim(
            "projected_weight_gradient",
            of_likelihood,
            lambda g, m, c: g.weights - jnp.mean(g.weights),
        ),
        claim("logit_gradient", of_coordinates, lambda g, m, c: g[0]),
        claim("log_variance_gradient", of_coordinates, lambda g, m, c: g[1]),
        claim("gradient", of_likelihood),
        claim("point_gradients", of_points),
        claim("observed_information", of_gradient, lambda h, m, c: _negated_matrix(h)),
    ]


def _renormalised(weights: jax.Array, before: jax.Array) -> jax.Array:
    return weights * (jnp.sum(before) / jnp.sum(weights))


def _negated_matrix(hessian: Any) -> jax.Array:
    """Lay out a Mixture of Mixtures as one matrix, in the order weights, means, variances."""
    return -jnp.block(
        [
            [row.weights, row.means, row.variances]
            for row in (hessian.weights, hessian.means, hessian.variances)
        ]
    )


@st.composite
def mixtures_and_data(draw: st.DrawFn) -> tuple[Mixture, np.ndarray[Any, Any]]:
    """Draw a mixture of two and points around it, with structure rather than bare floats.

    Weights down to 1e-12, separations from 0 to 1,000 standard deviations, variance ratios to
    1e12, offsets to 1e8 and scales apart from them; points as z-scores of either component out to
    1,000, with ties, and exactly on the means.
    """
    small = 10.0 ** -draw(st.floats(0.3, 12) | st.sampled_from([12.0, 6.0, 0.31]))
    weights = [small, 1 - small] if draw(st.booleans()) else [1 - small, small]
    scale = 10.0 ** draw(st.floats(-3, 3) | st.just(0.0))
    ratio = 10.0 ** draw(st.floats(-6, 6) | st.sampled_from([0.0, -6.0, 6.0]))
    separation = draw(st.floats(0, 10) | st.sampled_from([0.0, 1.0, 100.0, 1e3]))
    offset = draw(st.floats(-10, 10) | st.sampled_from([0.0, 1e4, -1e8, 1e8]))
    means = [offset, offset + separation * scale]
    deviations = [scale, scale * ratio]
    score = st.floats(-6, 6) | st.sampled_from([0.0, 1.0, -9.0, 45.0, 1e3])
    n = draw(st.sampled_from(SIZES))
    # A few drawn points, repeated to fill the size: ties come for free.
    few = draw(st.lists(st.tuples(score, st.integers(0, 1)), min_size=1, max_size=min(n, 12)))
    points = [means[k] + z * deviations[k] for z, k in few]
    mixture = Mixture.from_arrays(
        weights=weights, means=means, variances=np.square(deviations).tolist()
    )
    return mixture, np.resize(np.asarray(points), n)


@functools.cache
def _measured(by_hand: Derivative, reverse: Derivative, forward: Derivative) -> Any:
    """Compile a claim with its witnesses and the scale of what rounding explains."""

    def measure(mixture: Mixture, x: jax.Array, counts: jax.Array) -> Any:
        hand, back, ahead = (
            jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(f(mixture, x, counts))])
            for f in (by_hand, reverse, forward)
        )
        inputs = (mixture, x, counts)
        jacobian = jax.jacfwd(
            lambda *z: jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(reverse(*z))]),
            argnums=(0, 1, 2),
        )(*inputs)
        scale = jnp.zeros_like(hand)
        for slope, z in zip(jax.tree.leaves(jacobian), jax.tree.leaves(inputs), strict=True):
            scale = scale + jnp.sum(jnp.abs(slope * z[None, :]), axis=1)
        return hand, back, ahead, scale

    return jax.jit(measure)


def disagreement(
    claim: Claim, mixture: Mixture, x: np.ndarray[Any, Any]
) -> tuple[float, float, bool]:
    """Hold one claim against its witnesses at one input, in float64.

    Returns
    -------
    roundings : float
        The worst entry's, against the worse of the two witnesses; infinite for NaN.
    budget : float
        How many are allowed.
    informative : bool
        Whether some entry is larger than its budget: whether a wrong sign would show.
    """
    with jax.enable_x64(True):
        measured = _measured(claim.by_hand, claim.reverse, claim.forward)
        results = measured(mixture, x, np.ones_like(x))
    hand, reverse, forward, scale = (np.asarray(result) for result in results)
    unit = 0.5 * np.finfo(np.float64).eps
    budget = float(_OPERATIONS + len(x))
    # Below the smallest normal number there are no relative digits: XLA flushes to 0.
    bound = unit * scale + np.finfo(np.float64).tiny
    error = np.maximum(np.abs(hand - reverse), np.abs(hand - forward))
    roundings = float(np.max(np.nan_to_num(error / bound, nan=np.inf)))
    return roundings, budget, bool(np.any(np.abs(reverse) > 2 * budget * bound))


def check(*, examples: int = 200, random_seed: int = 0) -> Iterator[Finding]:
    """Check every claim on `examples` drawn inputs each, and yield one finding for each.

    Parameters
    ----------
    examples : int
        Inputs to draw for each claim.
    random_seed : int
        Which inputs: the same seed draws the same ones.

    Yields
    ------
    Finding
    """
    for claim in claims():
        yield _check_one(claim, examples, random_seed)


def _check_one(claim: Claim, examples: int, random_seed: int) -> Finding:
    worst: tuple[float, float, str] = (-1.0, 1.0, "")
    tried = informative = 0

    @seed(random_seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mixtures_and_data())
    def search(drawn: tuple[Mixture, np.ndarray[Any, Any]]) -> None:
        nonlocal worst, tried, informative
        roundings, budget, tells = disagreement(claim, *drawn)
        tried += 1
        informative += tells
        if roundings / budget > worst[0] / worst[1]:
            worst = (roundings, budget, _describe(*drawn))

    search()
    return Finding(
        name=claim.name,
        examples=tried,
        informative=informative,
        worst_roundings=worst[0],
        budget=worst[1],
        where=worst[2],
    )


def _describe(mixture: Mixture, x: np.ndarray[Any, Any]) -> str:
    parameters = " ".join(
        f"{name} {', '.join(f'{value:.3g}' for value in np.asarray(values))};"
        for name, values in [
            ("weights", mixture.weights),
            ("means", mixture.means),
            ("variances", mixture.variances),
        ]
    )
    return f"{parameters} {len(x)} point{'s' if len(x) > 1 else ''} from {x[0]:.3g}"
