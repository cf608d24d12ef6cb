r"""What this package claims about itself: each hand-written derivative, against autodiff.

Every function of `mog_jax.gradients` is held against the reverse and the forward derivative of the
jitted textbook log-likelihood, on mixtures and data drawn by Hypothesis.

**When do two numbers disagree?** Both sides are rounded, and how much that may matter depends on
the input: a sum whose terms cancel, or a point far out in a tail, magnifies what is rounded before
it. To first order, a relative perturbation :math:`\delta_z` of each number :math:`z` that enters
or arises on the way (the inputs, and the result of every operation of the textbook's own
derivative) moves output :math:`j` by at most :math:`u\,S_j` where all :math:`|\delta_z|\le u`,
half an ulp of 1:

.. math:: S_j=\sum_z\Big|\frac{\partial\,\mathrm{out}_j}{\partial\delta_z}\Big| .

The disagreement is reported in *roundings*, :math:`|a-b|/(u\,S_j)`: one is what rounding every
number once explains. :math:`S_j` comes from the reference, never from the code that is being
checked, which would grant itself slack. Each side rounds every number it makes once, an elementary
function being wrong by up to two more, and a sum of n terms is rounded n times: the budget is six
roundings, and one for each point. Where the entry itself is smaller than its budget, as at a
maximum, a draw cannot tell right from wrong; it is not counted as informative.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis.strategies as st
import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from mog_jax import gradients
from mog_jax.likelihood import log_density, log_likelihood
from mog_jax.mixture import Mixture

SIZES = (1, 7, 200)
_ROUNDINGS = 6

Derivative = Callable[[Mixture, jax.Array, jax.Array], Any]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A hand-written function, and how autodiff of the textbook likelihood says the same."""

    name: str
    by_hand: Derivative
    reverse: Derivative
    forward: Derivative
    sizes: tuple[int, ...] = SIZES


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

    def claim(
        name: str, derive: Callable[[Any], Derivative], read: Callable[..., Any] | None = None
    ) -> Claim:
        def witness(autodiff: Any) -> Derivative:
            derivative = derive(autodiff)
            if read is None:
                return derivative
            return lambda mixture, x, counts: read(derivative(mixture, x, counts), mixture, counts)

        by_hand = getattr(gradients, name)
        return Claim(name, by_hand, witness(jax.jacrev), witness(jax.jacfwd))

    def of_points(by_point: Callable[..., Mixture]) -> Claim:
        derivative = on_fields(lambda mixture, x, counts: log_density(mixture, x))
        return Claim(
            by_point.__name__,
            lambda mixture, x, counts: by_point(mixture, x),
            derivative(jax.jacrev),
            derivative(jax.jacfwd),
            # One output for each point, on which no other point bears: a few tell as much.
            sizes=(1, 7),
        )

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
        of_points(gradients.point_gradients),
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
def mixtures_and_data(
    draw: st.DrawFn, sizes: tuple[int, ...] = SIZES
) -> tuple[Mixture, np.ndarray[Any, Any]]:
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
    n = draw(st.sampled_from(sizes))
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

    def flat(derivative: Derivative) -> Callable[..., jax.Array]:
        return lambda *inputs: jnp.concatenate(
            [jnp.ravel(leaf) for leaf in jax.tree.leaves(derivative(*inputs))]
        )

    def measure(mixture: Mixture, x: jax.Array, counts: jax.Array) -> Any:
        inputs = (mixture, x, counts)
        return (
            flat(by_hand)(*inputs),
            flat(reverse)(*inputs),
            flat(forward)(*inputs),
            rounding_scale(flat(reverse), *inputs),
        )

    return jax.jit(measure)


def rounding_scale(function: Callable[..., jax.Array], *inputs: Any) -> jax.Array:
    r"""Sum what a relative change of each number in a program does to each of its outputs.

    Parameters
    ----------
    function : callable
        Of pytrees of arrays; its output has shape (j,).
    *inputs : pytree of arrays
        Where.

    Returns
    -------
    array, shape (j,)
        :math:`S_j` of the module's docstring.
    """
    program = jax.make_jaxpr(function)(*inputs)
    values = jax.tree.leaves(inputs)

    def output(*perturbations: jax.Array) -> jax.Array:
        nudge = iter(perturbations)
        result: jax.Array
        (result,) = _run(program.jaxpr, program.consts, values, lambda z: z * (1 + next(nudge)))
        return result

    shapes: list[jax.Array] = []

    def remember(value: jax.Array) -> jax.Array:
        shapes.append(jnp.zeros_like(value))
        return value

    jax.eval_shape(lambda: _run(program.jaxpr, program.consts, values, remember))
    zeros = [jnp.zeros(zero.shape, zero.dtype) for zero in shapes]
    _, pull_back = jax.vjp(output, *zeros)
    slopes = jax.vmap(pull_back)(jnp.eye(program.out_avals[0].shape[0]))
    return jnp.sum(
        jnp.stack([jnp.sum(jnp.abs(s.reshape(s.shape[0], -1)), axis=1) for s in slopes]), axis=0
    )


def _run(
    jaxpr: jax.extend.core.Jaxpr,
    constants: Sequence[Any],
    values: Sequence[Any],
    perturb: Callable[[jax.Array], jax.Array],
) -> list[Any]:
    """Evaluate a program, perturbing every number that enters it or arises in it."""
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, constants, strict=True))

    def is_number(value: Any) -> bool:
        return jnp.issubdtype(jnp.result_type(value), np.floating)

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, jax.extend.core.Literal) else known[atom]

    def write(variables: Sequence[Any], results: Sequence[Any]) -> None:
        for variable, result in zip(variables, results, strict=True):
            known[variable] = perturb(jnp.asarray(result)) if is_number(result) else result

    write(jaxpr.invars, values)
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        if equation.primitive.name == "jit":
            inner = equation.params["jaxpr"]
            results = _run(inner.jaxpr, inner.consts, operands, perturb)
        else:
            primitive: Any = equation.primitive
            results = primitive.bind(*operands, **primitive.get_bind_params(equation.params))
            results = results if primitive.multiple_results else [results]
        write(equation.outvars, results)
    return [read(atom) for atom in jaxpr.outvars]


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
    budget = float(_ROUNDINGS + len(x))
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
    @given(mixtures_and_data(claim.sizes))
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
