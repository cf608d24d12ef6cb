"""The ascent of one dataset: propose a move, keep it if it climbs, stop where nothing is left.

Everything here is a pure function of one dataset, or, with the same code, of any number of them
side by side as *lanes* (:mod:`mog_jax.kernel`). Data are on their standardised scale, mean 0 and
variance 1. Nothing raises: a lane that is done stands still until the others are.
"""

import dataclasses
import operator
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.climb.derivatives import unpack
from mog_jax.fitting.climb.directions import Direction, LocalModel, local_model
from mog_jax.fuse import fuse
from mog_jax.kernel import Sums, Totals, lane_sums
from mog_jax.mixture import Coordinates
from mog_jax.penalty import penalty, penalty_weight

_SHRINKAGE = 0.3
_GROWTH = 2.5
# Of a predicted gain: a step that brings less than this share was too long.
_DISAPPOINTING = 0.25
# Of the tolerance: what a slope must promise to an EM step.
_STATIONARY = 1e-4


class PointSums(Protocol):
    """Datasets side by side, standardised, of which a climb sees the nine sums."""

    @property
    def count(self) -> jax.Array:
        """Sum of the counts, shape (*lanes)."""

    @property
    def free(self) -> jax.Array | None:
        """The coordinates that are not held fixed, shape (5, *lanes): all, where None."""

    def sums(self, coordinates: Coordinates) -> Sums:
        """Make one pass over all points."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """Lanes whose points are the columns of one array.

    Parameters
    ----------
    x : array, shape (n, *lanes)
        The points; padded as :func:`mog_jax.kernel.lane_sums` wants them.
    totals : Totals, shape (*lanes)
    counts : array, shape (n, *lanes), or None
    free : array of bool, shape (5, *lanes), or None
    """

    x: jax.Array
    totals: Totals
    counts: jax.Array | None
    free: jax.Array | None

    @property
    def count(self) -> jax.Array:
        """Sum of the counts."""
        return self.totals.count

    def sums(self, coordinates: Coordinates) -> Sums:
        """Make one pass over all points."""
        return lane_sums(coordinates, self.x, self.totals, self.counts)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Ascent:
    """Where the climb stands; every field changes at every step.

    Parameters
    ----------
    theta : array, shape (5, *lanes)
        The five coordinates.
    sums : Sums, shape (*lanes)
        Taken at `theta`; the log-likelihood with the penalty, where there is one.
    gain_left : array, shape (*lanes)
        The Newton decrement at `theta`, in nats; infinite where the likelihood is not concave.
    proposal : array, shape (5, *lanes)
        Where to go next, and ...
    expected : array, shape (*lanes)
        ... what that should gain, to second order.
    step : array, shape (*lanes)
        Length of that step.
    n_steps : array of int, shape (*lanes)
        Passes over the data.
    climbing : array of bool, shape (*lanes)
        Whether there is anything left to do.
    """

    theta: jax.Array
    sums: Sums
    gain_left: jax.Array
    proposal: jax.Array
    expected: jax.Array
    step: jax.Array
    n_steps: jax.Array
    climbing: jax.Array

    def with_leading_axis(self, form: Callable[[Any], Any], sums: Sums) -> "Ascent":
        """Give the same with the coordinates, and the sums, in another form: stacked or not."""
        return dataclasses.replace(
            self, theta=form(self.theta), proposal=form(self.proposal), sums=sums
        )


def begin(theta: Any) -> Ascent:
    """Propose `theta`, shape (5, *lanes), to a climb that has not looked at the data yet."""
    lanes = theta.shape[1:]

    def one(value: float, dtype: Any = theta.dtype) -> Any:
        return np.full(lanes, value, dtype)

    def several(number: int) -> Any:
        return np.zeros((number, *lanes), theta.dtype)

    nothing = Sums(
        log_likelihood=one(-np.inf),
        effective_counts=several(2),
        first=several(2),
        second=several(2),
        cross=several(5),
        centre=one(0),
    )
    return Ascent(
        theta=theta,
        sums=nothing,
        gain_left=one(np.inf),
        proposal=theta,
        expected=one(0),
        step=one(1),
        n_steps=one(0, np.int32),
        climbing=np.isfinite(theta).all(axis=0),
    )


def packed(state: Ascent) -> jax.Array:
    """Give all that a climb carries as one array, a row for each number, shape (28, *lanes).

    One array is moved, gathered and put back at a fraction of what twelve cost.
    """
    leaves = [leaf.astype(state.theta.dtype) for leaf in jax.tree.leaves(state)]
    lanes = state.theta.shape[1:]
    return jnp.concatenate([leaf.reshape(-1, *lanes) for leaf in leaves])


def unpacked(rows: Any) -> Ascent:
    """Undo :func:`packed`, for arrays of JAX or NumPy."""
    fields: list[Any] = []
    at = 0
    for size, is_pair in zip(_ROWS, _HAS_ROWS, strict=True):
        fields.append(rows[at : at + size] if is_pair else rows[at])
        at += size
    state: Ascent = jax.tree.unflatten(_TREE, fields)
    return dataclasses.replace(
        state, n_steps=state.n_steps.astype(np.int32), climbing=state.climbing > 0
    )


_LEAVES, _TREE = jax.tree.flatten(begin(np.zeros((5,))))
_HAS_ROWS = [np.ndim(leaf) > 0 for leaf in _LEAVES]
_ROWS = [leaf.shape[0] if np.ndim(leaf) else 1 for leaf in _LEAVES]
# How many they are, and the one that says which climbs are under way.
ROWS, CLIMBING = sum(_ROWS), -1


def ascend(
    state: Ascent,
    lanes: PointSums,
    *,
    direction: Direction,
    tolerance: float | jax.Array,
    smallest: float | jax.Array,
    steps: int | jax.Array,
    max_steps: int | jax.Array,
    equal_variances: bool = False,
    give_up: bool | jax.Array = False,
    penalty_strength: float | jax.Array | None = None,
) -> Ascent:
    """Climb on, for at most `steps` steps, until the Newton decrement is below `tolerance` nats.

    From there one more step is made: it is the one that pays most, as Newton's method squares the
    error.

    Parameters
    ----------
    state : Ascent
        From :func:`begin`, or from here.
    lanes : PointSums
    direction : Direction
        How to propose a move.
    tolerance : float
        In nats.
    smallest : float
        Logarithm of the lowest variance allowed, in units of the data's variance.
    steps, max_steps : int
        In this call, and in all.
    equal_variances : bool
        Whether the components share one variance.
    give_up : bool
        Whether to leave lanes alone that are held on the variance floor, where they would shrink
        further.
    penalty_strength : float, optional
        Of the penalty on the variances: 1 for the usual one. With 0 a climb is the same to the last
        bit as with None.

    Returns
    -------
    Ascent
    """
    weight: Any = None
    pseudo_points: Any = None
    if penalty_strength is not None:
        weight = penalty_weight(lanes.count, penalty_strength)
        pseudo_points = 2 * weight
    precision = float(np.finfo(state.theta.dtype).eps)
    # The log-likelihood of so many points is not known better than this.
    slack = 4 * precision * lanes.count
    enough = jnp.maximum(tolerance, slack)
    # A step that gains less than a comparison can tell is taken all the same: the last one of
    # Newton's, which doubles the digits of the parameters, is of this kind.
    noise = 4 * slack

    def proceed(carry: tuple[Ascent, jax.Array]) -> jax.Array:
        going: jax.Array = (carry[1] < steps) & jnp.any(carry[0].climbing)
        return going

    def climb(carry: tuple[Ascent, jax.Array]) -> tuple[Ascent, jax.Array]:
        old, made = carry
        sums = lanes.sums(unpack(tuple(old.proposal)))
        if weight is not None:
            value = sums.log_likelihood + penalty(old.proposal, weight)
            sums = dataclasses.replace(sums, log_likelihood=value)
        gained = sums.log_likelihood - old.sums.log_likelihood
        # A lane that is done stands where it stood, and sees what it saw.
        climbs = (gained >= -noise) & old.climbing
        step = jnp.where(climbs, old.step, _SHRINKAGE * old.step)
        pays = climbs & (gained >= _DISAPPOINTING * old.expected)
        step = jnp.where(pays, jnp.minimum(_GROWTH * step, direction.longest), step)
        theta, sums = jax.tree.map(
            lambda new, kept: jnp.where(climbs, new, kept),
            (old.proposal, sums),
            (old.theta, old.sums),
        )
        theta, sums, step = fuse((theta, sums, step))
        model = fuse(
            local_model(
                theta, sums, free, equal_variances, smallest=smallest, pseudo_points=pseudo_points
            )
        )
        change = tuple(direction.propose(model, step))
        expected = sum(map(operator.mul, model.gradient, change))
        expected = expected - 0.5 * model.information.quadratic(change)
        if equal_variances:
            change = (*change[:4], change[3])
        proposal: Any = list(map(operator.add, theta, change))
        proposal = (*proposal[:3], *(jnp.maximum(each, smallest) for each in proposal[3:]))
        n_steps = old.n_steps + old.climbing.astype(jnp.int32)
        # Where the likelihood is not concave there is no estimate of what is left; but where even
        # the slope is gone, as at a saddle, it is no use to go on.
        sloping = jnp.zeros_like(model.concave)
        for i in range(5):
            flat = _STATIONARY * enough * (model.complete_information[i, i] + precision)
            sloping = sloping | (jnp.square(model.gradient[i]) > flat)
        on = (
            (old.gain_left > enough)
            & (model.concave | sloping)
            & (n_steps < max_steps)
            & (step > precision)
        )
        for each in proposal:
            on = on & jnp.isfinite(each)
        # Within a cluster a climb may begin on the floor, or touch it, and leave it again.
        for i in (3,) if equal_variances else (3, 4):
            on = on & ((theta[i] > smallest) | model.free[i] | jnp.logical_not(give_up))
        new = fuse(
            Ascent(
                theta=theta,
                sums=sums,
                gain_left=newton_decrement(model),
                proposal=proposal,
                expected=expected,
                step=step,
                n_steps=n_steps,
                climbing=on & old.climbing,
            )
        )
        return new, made + 1

    free = None if lanes.free is None else tuple(lanes.free)
    begun = fuse(state.with_leading_axis(tuple, state.sums.unstacked()))
    end: Ascent = jax.lax.while_loop(proceed, climb, (begun, jnp.int32(0)))[0]
    return end.with_leading_axis(jnp.stack, end.sums.stacked())


def newton_decrement(model: LocalModel) -> jax.Array:
    r"""Estimate the nats still to be gained, :math:`\tfrac12 g^\top I^{-1}g`.

    It does not depend on the coordinates at a maximum, and means the same for every dataset.

    Returns
    -------
    array, shape (*lanes)
        Infinite where the observed information is not positive definite.
    """
    decrement = 0.5 * sum(map(operator.mul, model.gradient, model.newton_move))
    return jnp.where(model.concave, jnp.maximum(decrement, 0), jnp.inf)
