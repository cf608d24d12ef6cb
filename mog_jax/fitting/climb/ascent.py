"""Runs the ascent: proposes a move, keeps it if it climbs, and stops when no gain is left.

The functions here are pure functions of one dataset, or, with the same code, of any number of
datasets side by side as *lanes* (:mod:`mog_jax.kernel`). Data are on their standardised scale, mean
0 and variance 1. Nothing raises: a lane that is done keeps its state until the others are.
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
# A step is too long if it gains less than this share of the predicted gain.
_DISAPPOINTING = 0.25
# A slope counts as zero if an EM step along it would gain less than this share of the tolerance.
_STATIONARY = 1e-4


class PointSums(Protocol):
    """Standardised datasets side by side: a climb uses their nine sums only."""

    @property
    def count(self) -> jax.Array:
        """Sum of the counts, shape (*lanes)."""

    @property
    def free(self) -> jax.Array | None:
        """The coordinates that are not fixed, shape (5, *lanes); None if all are free."""

    def sums(self, coordinates: Coordinates) -> Sums:
        """Compute the nine sums in one pass over all points."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """Lanes whose points are the columns of one array.

    Parameters
    ----------
    x : array, shape (n, *lanes)
        The points, padded as :func:`mog_jax.kernel.lane_sums` requires.
    totals : Totals, shape (*lanes)
        Count, mean and variance of each dataset.
    counts : array, shape (n, *lanes), or None
        How often each point was seen.
    free : array of bool, shape (5, *lanes), or None
        The coordinates that are not fixed; None if all are free.
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
        """Compute the nine sums in one pass over all points."""
        return lane_sums(coordinates, self.x, self.totals, self.counts)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Ascent:
    """The state of a climb; every field changes at every step.

    Parameters
    ----------
    theta : array, shape (5, *lanes)
        The five coordinates.
    sums : Sums, shape (*lanes)
        The nine sums at `theta`; the log-likelihood includes the penalty, if there is one.
    gain_left : array, shape (*lanes)
        The Newton decrement at `theta`, in nats; infinite where the likelihood is not concave.
    proposal : array, shape (5, *lanes)
        The proposed next coordinates.
    expected : array, shape (*lanes)
        Their predicted gain, in nats, to second order.
    step : array, shape (*lanes)
        Length of that step.
    n_steps : array of int, shape (*lanes)
        Passes over the data.
    climbing : array of bool, shape (*lanes)
        Whether the climb is active: neither converged nor stopped.
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
        """Return the state with `form` applied to the coordinates, and with the given sums."""
        return dataclasses.replace(
            self, theta=form(self.theta), proposal=form(self.proposal), sums=sums
        )


def begin(theta: Any) -> Ascent:
    """Return the state of a climb before its first pass, with `theta` (5, *lanes) as proposal."""
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
    """Return the state as one array, a row for each number, shape (28, *lanes).

    Gathering and scattering one array costs a fraction of what twelve cost.
    """
    leaves = [leaf.astype(state.theta.dtype) for leaf in jax.tree.leaves(state)]
    lanes = state.theta.shape[1:]
    return jnp.concatenate([leaf.reshape(-1, *lanes) for leaf in leaves])


def unpacked(rows: Any) -> Ascent:
    """Return the state from its packed form: the inverse of :func:`packed`, for JAX or NumPy."""
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
# Number of rows, and the row that says which climbs are active.
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

    Then one more step is made: it gains the most digits, as Newton's method squares the error.

    Parameters
    ----------
    state : Ascent
        From :func:`begin`, or from an earlier call.
    lanes : PointSums
    direction : Direction
        How to propose a move.
    tolerance : float
        In nats.
    smallest : float
        Logarithm of the lowest variance allowed, in units of the data's variance.
    steps, max_steps : int
        Largest number of steps in this call, and in all calls.
    equal_variances : bool
        Whether the components share one variance.
    give_up : bool
        Whether to stop lanes that have a variance on the floor and would shrink it further.
    penalty_strength : float, optional
        Strength of the penalty on the variances: 1 for the usual one. With 0 a climb is the same to
        the last bit as with None.

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
    # Rounding error of the log-likelihood of so many points.
    slack = 4 * precision * lanes.count
    enough = jnp.maximum(tolerance, slack)
    # A step whose gain is lost in rounding is taken all the same: Newton's last step, which doubles
    # the digits of the parameters, is such a step.
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
        # A lane that is done keeps its coordinates and its sums.
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
        # Where the likelihood is not concave the gain left cannot be estimated; such a climb goes
        # on unless its gradient is zero, as at a saddle.
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
        # A climb may begin on the floor, or touch it, and leave it again: it stops only where the
        # variance would shrink further.
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
    r"""Return the Newton decrement :math:`\tfrac12 g^\top I^{-1}g`, an estimate of the gain left.

    At a maximum it does not depend on the coordinates, and it means the same for every dataset.

    Returns
    -------
    array, shape (*lanes)
        In nats; infinite where the observed information is not positive definite.
    """
    decrement = 0.5 * sum(map(operator.mul, model.gradient, model.newton_move))
    return jnp.where(model.concave, jnp.maximum(decrement, 0), jnp.inf)
