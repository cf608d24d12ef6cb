"""The ascent of one dataset: propose a move, keep it if it climbs, stop where nothing is left.

Everything here is a pure function of one dataset, or, with the same code, of any number of them
side by side as *lanes* (:mod:`mog_jax.kernel`). Data are on their standardised scale, mean 0 and
variance 1. Nothing raises: a lane that is done stands still until the others are.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.coordinates import unpack
from mog_jax.fitting.directions import Direction, View, look, quadratic
from mog_jax.kernel import Sums, Totals, lane_sums

_SHRINKAGE = 0.3
_GROWTH = 2.5
# Of a predicted gain: a step that brings less than this share was too long.
_DISAPPOINTING = 0.25


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Lanes:
    """Datasets side by side, standardised, and what holds for each of them.

    Parameters
    ----------
    x : array, shape (n, *lanes)
        The points; padded as :func:`mog_jax.kernel.lane_sums` wants them.
    totals : Totals, shape (*lanes)
    counts : array, shape (n, *lanes), or None
    padding : array, shape (*lanes), or None
    free : array of bool, shape (5, *lanes)
        The coordinates that are not held fixed.
    """

    x: jax.Array
    totals: Totals
    counts: jax.Array | None
    padding: jax.Array | None
    free: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Ascent:
    """Where the climb stands; every field changes at every step.

    Parameters
    ----------
    theta : array, shape (5, *lanes)
        The five coordinates.
    sums : Sums, shape (*lanes)
        Taken at `theta`.
    step : array, shape (*lanes)
        Length of the next step.
    gain_left : array, shape (*lanes)
        The Newton decrement at `theta`, in nats; infinite where the likelihood is not concave.
    n_steps : array of int, shape (*lanes)
        Passes over the data.
    climbing : array of bool, shape (*lanes)
        Whether there is anything left to do.
    """

    theta: jax.Array
    sums: Sums
    step: jax.Array
    gain_left: jax.Array
    n_steps: jax.Array
    climbing: jax.Array


def newton_decrement(view: View) -> jax.Array:
    r"""Estimate the nats still to be gained, :math:`\tfrac12 g^\top I^{-1}g`.

    It does not depend on the coordinates at a maximum, and means the same for every dataset.

    Returns
    -------
    array, shape (*lanes)
        Infinite where the observed information is not positive definite.
    """
    decrement = 0.5 * jnp.sum(view.gradient * view.newton_move, axis=0)
    return jnp.where(view.concave, jnp.maximum(decrement, 0), jnp.inf)


def begin(theta: jax.Array, lanes: Lanes) -> Ascent:
    """Stand at `theta`, shape (5, *lanes), with one pass over the data made."""
    sums = lane_sums(unpack(theta), lanes.x, lanes.totals, lanes.counts, lanes.padding)
    one = jnp.ones_like(sums.centre)
    return Ascent(
        theta=theta,
        sums=sums,
        step=one,
        gain_left=jnp.inf * one,
        n_steps=jnp.ones(one.shape, jnp.int32),
        climbing=jnp.isfinite(sums.log_likelihood),
    )


def ascend(
    state: Ascent,
    lanes: Lanes,
    *,
    direction: Direction,
    tolerance: float,
    variance_floor: float,
    steps: int,
    max_steps: int,
    equal_variances: bool = False,
    give_up: bool = False,
) -> Ascent:
    """Climb on, for at most `steps` steps, until the Newton decrement is below `tolerance` nats.

    The step on which that is noticed is still made: it is the one that pays most, as Newton's
    method squares the error.

    Parameters
    ----------
    state : Ascent
        From :func:`begin`, or from here.
    lanes : Lanes
    direction : Direction
        How to propose a move.
    tolerance : float
        In nats.
    variance_floor : float
        Lowest variance allowed, in units of the data's variance.
    steps, max_steps : int
        In this call, and in all.
    equal_variances : bool
        Whether the components share one variance.
    give_up : bool
        Whether to leave lanes alone that have fallen to the variance floor.

    Returns
    -------
    Ascent
    """
    smallest = math.log(variance_floor)
    precision = float(np.finfo(state.theta.dtype).eps)
    # The log-likelihood of so many points is not known better than this.
    slack = 4 * precision * lanes.totals.count
    enough = jnp.maximum(tolerance, slack)

    def view_from(theta: jax.Array, sums: Sums) -> View:
        return look(unpack(theta), sums, lanes.free, equal_variances, smallest=smallest)

    def proceed(carry: tuple[Ascent, jax.Array]) -> jax.Array:
        going: jax.Array = (carry[1] < steps) & jnp.any(carry[0].climbing)
        return going

    def climb(carry: tuple[Ascent, jax.Array]) -> tuple[Ascent, jax.Array]:
        state, made = carry
        view = view_from(state.theta, state.sums)
        change = direction.propose(view, state.step)
        if equal_variances:
            change = jnp.concatenate([change[:4], change[3:4]])
        gain_left = newton_decrement(view)
        theta = state.theta + change
        theta = jnp.concatenate([theta[:3], jnp.maximum(theta[3:], smallest)])
        sums = lane_sums(unpack(theta), lanes.x, lanes.totals, lanes.counts, lanes.padding)
        gained = sums.log_likelihood - state.sums.log_likelihood
        climbs = gained >= -slack
        expected = jnp.sum(view.gradient * change, axis=0) - 0.5 * quadratic(
            view.information, change
        )
        step = jnp.where(
            climbs & (gained >= _DISAPPOINTING * expected),
            jnp.minimum(_GROWTH * state.step, direction.longest),
            jnp.where(climbs, state.step, _SHRINKAGE * state.step),
        )
        kept = state.climbing & climbs
        n_steps = state.n_steps + state.climbing
        on = state.climbing & (gain_left > enough) & (n_steps < max_steps) & (step > precision)
        if give_up:
            on = on & jnp.all(theta[3:] > smallest, axis=0)
        return (
            Ascent(
                theta=jnp.where(kept[None], theta, state.theta),
                sums=jax.tree.map(lambda new, old: jnp.where(kept, new, old), sums, state.sums),
                step=jnp.where(state.climbing, step, state.step),
                gain_left=jnp.where(state.climbing, gain_left, state.gain_left),
                n_steps=n_steps,
                climbing=on,
            ),
            made + 1,
        )

    end, _ = jax.lax.while_loop(proceed, climb, (state, jnp.int32(0)))
    gain_left = newton_decrement(view_from(end.theta, end.sums))
    return dataclasses.replace(end, gain_left=gain_left)
