"""The ascent of one dataset: propose a step, keep it if it climbs, stop where nothing is left.

Everything here is a pure function of one dataset on its standardised scale (mean 0, variance 1);
a batch goes through :func:`jax.vmap`. Nothing raises: how it ended is a `Status`.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.directions import Direction
from mog_jax.fitting.result import Status
from mog_jax.gradients import gradient, observed_information
from mog_jax.likelihood import log_likelihood
from mog_jax.mixture import Mixture

_GROWTH = 1.6
_SHRINKAGE = 0.4


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Ascent:
    """Where the climb stands; every field changes at every step."""

    mixture: Mixture
    log_likelihood: jax.Array
    gain_left: jax.Array
    step: jax.Array
    n_steps: jax.Array


def ascend(
    start: Mixture,
    x: jax.Array,
    counts: jax.Array,
    *,
    direction: Direction,
    tolerance: float,
    max_steps: int,
    variance_floor: float,
) -> tuple[Ascent, jax.Array]:
    """Climb from `start` until the Newton decrement falls below `tolerance` nats.

    Parameters
    ----------
    start : Mixture, shape (2,)
    x, counts : arrays, shape (n,)
        Standardised points and their multiplicities.
    direction : Direction
        How to propose a step.
    tolerance : float
        In nats.
    max_steps : int
        Proposals, accepted or not.
    variance_floor : float
        Lowest variance allowed, in units of the data's variance.

    Returns
    -------
    Ascent
        Where the climb ended.
    array of int
        How: a `Status`.
    """
    dtype = x.dtype

    def proceed(state: Ascent) -> jax.Array:
        stuck = state.step < np.finfo(dtype).eps
        climbing: jax.Array = (state.gain_left > tolerance) & (state.n_steps < max_steps) & ~stuck
        return climbing

    def climb(state: Ascent) -> Ascent:
        proposal = direction(state.mixture, x, counts, state.step)
        proposal = dataclasses.replace(
            proposal, variances=jnp.maximum(proposal.variances, variance_floor)
        )
        value = log_likelihood(proposal, x, counts)
        gains = value >= state.log_likelihood
        mixture: Mixture = jax.tree.map(
            lambda new, old: jnp.where(gains, new, old), proposal, state.mixture
        )
        return Ascent(
            mixture=mixture,
            log_likelihood=jnp.where(gains, value, state.log_likelihood),
            gain_left=newton_decrement(mixture, x, counts),
            step=state.step * jnp.where(gains, _GROWTH, _SHRINKAGE).astype(dtype),
            n_steps=state.n_steps + 1,
        )

    end = jax.lax.while_loop(
        proceed,
        climb,
        Ascent(
            mixture=start,
            log_likelihood=log_likelihood(start, x, counts),
            gain_left=newton_decrement(start, x, counts),
            step=jnp.ones((), dtype),
            n_steps=jnp.zeros((), jnp.int32),
        ),
    )
    on_floor = jnp.any(end.mixture.variances <= variance_floor)
    status = jnp.select(
        [on_floor, end.gain_left <= tolerance],
        [jnp.int32(Status.VARIANCE_FLOOR), jnp.int32(Status.CONVERGED)],
        jnp.int32(Status.STEP_LIMIT),
    )
    return end, status


def newton_decrement(mixture: Mixture, x: jax.Array, counts: jax.Array) -> jax.Array:
    r"""Estimate the nats still to be gained, :math:`\tfrac12 g^\top I^{-1}g`.

    Taken on the tangent space of the simplex: the weights move against each other. It does not
    depend on the coordinates at a maximum, and means the same for every dataset.

    Returns
    -------
    array, shape ()
        Infinite where the observed information is not positive definite.
    """
    partial = gradient(mixture, x, counts)
    information = observed_information(mixture, x, counts)
    # One weight rises as the other falls; means and variances move freely.
    one, zero = jnp.ones((1,), x.dtype), jnp.zeros((1,), x.dtype)
    along_weights = jnp.concatenate([one, -one, zero, zero, zero, zero])
    basis = jnp.concatenate([along_weights[None, :], jnp.eye(6, dtype=x.dtype)[2:]])
    slope = basis @ jnp.concatenate([partial.weights, partial.means, partial.variances])
    factor = jnp.linalg.cholesky(basis @ information @ basis.T)
    whitened = jax.scipy.linalg.solve_triangular(factor, slope, lower=True)
    decrement = 0.5 * jnp.sum(jnp.square(whitened))
    return jnp.where(jnp.isfinite(decrement), decrement, jnp.inf)
