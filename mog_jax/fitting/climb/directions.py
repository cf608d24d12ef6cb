r"""Ways uphill: each proposes a move from what the nine sums say at the current mixture.

A direction is :math:`P(\theta)\,\nabla\mathcal L` for a positive definite :math:`P`, so that a
short enough step gains. The ascent knows a direction only by its function from a `LocalModel` and a
step length to a change of the five coordinates (:mod:`mog_jax.fitting.climb.derivatives`); yours
may be another.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mog_jax.fitting.climb import derivatives
from mog_jax.fitting.climb.symmetric import Symmetric, Vector
from mog_jax.fuse import fuse
from mog_jax.kernel import Sums


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LocalModel:
    """What the ascent sees from where it stands. Constraints are already taken into account.

    A coordinate that is held has gradient 0 and a row of the identity in both matrices; with equal
    variances the fourth coordinate stands for both, and the fifth is held.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
        Where the climb stands.
    sums : Sums, shape (*lanes)
        Taken there; the sums of each component are a pair of arrays, the cross sums are five.
    gradient : five arrays, shape (*lanes)
    information : Symmetric, 5 by 5
        Minus the Hessian.
    complete_information : Symmetric, 5 by 5
        What it would be if each point told its component; positive definite.
    newton_move : five arrays, shape (*lanes)
        Solution of information x move = gradient.
    concave : array of bool, shape (*lanes)
        Whether the information is positive definite; else `newton_move` means nothing.
    free : five arrays of bool, shape (*lanes), or True
        The coordinates that may move.
    equal_variances : bool
        Whether the components share one variance.
    pseudo_points : array, shape (*lanes), or None
        Of the penalty on the variances, which the gradient and both matrices hold as well.
    """

    theta: Vector
    sums: Sums
    gradient: Vector
    information: Symmetric
    complete_information: Symmetric
    newton_move: Vector
    concave: jax.Array
    free: tuple[jax.Array | bool, ...]
    equal_variances: bool = dataclasses.field(metadata={"static": True})
    pseudo_points: jax.Array | None = None


@dataclasses.dataclass(frozen=True)
class Direction:
    """A way uphill, and the longest step that makes sense for it.

    Parameters
    ----------
    propose : function of (LocalModel, step)
        Gives the change of the five coordinates, five arrays of shape (*lanes); `step`, shape
        (*lanes), is shortened where a proposal did not climb, and lengthened again where it did.
    longest : float
        Of `step`. 1 where the proposal at step 1 is the whole move.
    """

    propose: Callable[[LocalModel, jax.Array], Sequence[jax.Array]]
    longest: float = 1.0


def local_model(
    theta: Vector,
    sums: Sums,
    free: Sequence[jax.Array] | None,
    equal_variances: bool,
    *,
    smallest: float | jax.Array,
    pseudo_points: jax.Array | None = None,
) -> LocalModel:
    """Take in the slopes at a mixture, under the constraints.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
        Where the climb stands.
    sums : Sums, shape (*lanes)
        Taken there.
    free : five arrays of bool, shape (*lanes), or None
        The coordinates that may move: all, where not given.
    equal_variances : bool
        Whether the components share one variance.
    smallest : float
        Log-variance on or below which a component may not shrink further.
    pseudo_points : array, shape (*lanes), or None
        Of the penalty on the variances, for each component; None for no penalty.

    Returns
    -------
    LocalModel
    """
    gradient = derivatives.gradient(theta, sums, pseudo_points)
    information = derivatives.information(theta, sums, pseudo_points=pseudo_points)
    complete = derivatives.complete_information(theta, sums, pseudo_points=pseudo_points)
    moves: list[jax.Array | bool] = [True] * 5 if free is None else list(free)
    if equal_variances:
        # One variance moves both: its slope is the sum of theirs.
        gradient = (*gradient[:3], gradient[3] + gradient[4], gradient[4])
        information, complete = _merged(information), _merged(complete)
        moves[3:] = [moves[3] & moves[4], jnp.zeros(gradient[4].shape, bool)]
    # A variance on its floor that would shrink is held there.
    for i in (3, 4):
        moves[i] = moves[i] & ~((theta[i] <= smallest) & (gradient[i] < 0))
    gradient = tuple(map(where_free, moves, gradient))
    information = _held(information, moves)
    newton_move, concave = information.solve(gradient)
    return LocalModel(
        theta=theta,
        sums=sums,
        gradient=gradient,
        information=information,
        complete_information=_held(complete, moves),
        newton_move=newton_move,
        concave=concave,
        free=tuple(moves),
        equal_variances=equal_variances,
        pseudo_points=pseudo_points,
    )


def where_free(free: jax.Array | bool, value: jax.Array, otherwise: float = 0) -> jax.Array:
    """Give the value where a coordinate is free; most are everywhere, and cost nothing."""
    return value if free is True else jnp.where(free, value, otherwise)


def _merged(matrix: Symmetric) -> Symmetric:
    entries = dict(matrix.entries)
    entries[3, 3] = matrix[3, 3] + 2 * matrix[3, 4] + matrix[4, 4]
    for i in range(3):
        entries[i, 3] = matrix[i, 3] + matrix[i, 4]
    return Symmetric(entries, matrix.size)


def _held(matrix: Symmetric, free: Sequence[jax.Array | bool]) -> Symmetric:
    entries = {
        (i, j): where_free(free[i] & free[j], entry, 1 if i == j else 0)
        for (i, j), entry in matrix.entries.items()
    }
    return Symmetric(entries, matrix.size)


_LEAST_DAMPING = 0.15
_GENTLE = 0.05


def newton(model: LocalModel, step: jax.Array) -> Vector:
    r"""Newton's step where the likelihood is concave, and the nearest that climbs elsewhere.

    Solves :math:`(I+\lambda D)\,\delta=\nabla\mathcal L` with the observed information :math:`I`
    and the complete-data information :math:`D`, at :math:`\lambda=1/\text{step}-1`. At
    :math:`\lambda=0` it is Newton's step; since :math:`I=D-B` with the covariance :math:`B` of
    equation (25), large :math:`\lambda` gives a short step like EM's. Where the likelihood is not
    concave :math:`\lambda` is at least a third, and where that does not help it is the EM step.

    Parameters
    ----------
    model : LocalModel
    step : array, shape (*lanes)

    Returns
    -------
    five arrays, shape (*lanes)
        Shortened to one unit of the complete-data metric: on average a standard deviation a point.
    """
    damping = (1 / step - 1) * jnp.where(model.concave, _GENTLE, 1)
    damping = jnp.where(model.concave, damping, jnp.maximum(damping, _LEAST_DAMPING))
    damped, definite = model.information.plus(model.complete_information, damping).solve(
        model.gradient
    )
    whole = model.concave & (step >= 1)
    move = [
        jnp.where(whole, full, short) for full, short in zip(model.newton_move, damped, strict=True)
    ]
    move, climbs, model = fuse((move, whole | definite, model))
    count = model.sums.effective_counts[0] + model.sums.effective_counts[1]
    length = jnp.sqrt(model.complete_information.quadratic(tuple(move)) / count)
    shorter = 1 / jnp.maximum(length, 1)
    # The EM step climbs at its full length, and only there.
    return tuple(
        jnp.where(climbs, shorter * change, other)
        for change, other in zip(move, em(model, jnp.ones_like(step)), strict=True)
    )


def em(model: LocalModel, step: jax.Array) -> Vector:
    """The EM step, in the coordinates: at step 1 the textbook's, under the constraints.

    Parameters
    ----------
    model : LocalModel
    step : array, shape (*lanes)

    Returns
    -------
    five arrays, shape (*lanes)

    References
    ----------
    Equations (16) to (19) of ``derivation.md``.
    """
    target = derivatives.em_step(
        model.theta, model.sums, model.free, model.equal_variances, model.pseudo_points
    )
    return tuple(
        where_free(free, step * (there - here))
        for free, there, here in zip(model.free, target, model.theta, strict=True)
    )


def gradient(model: LocalModel, step: jax.Array) -> Vector:
    """Plain steepest ascent in the five coordinates, per point.

    Parameters
    ----------
    model : LocalModel
    step : array, shape (*lanes)

    Returns
    -------
    five arrays, shape (*lanes)

    References
    ----------
    Equation (24) of ``derivation.md``.
    """
    per_point = step / (model.sums.effective_counts[0] + model.sums.effective_counts[1])
    return tuple(per_point * slope for slope in model.gradient)


DIRECTIONS = {
    "newton": Direction(newton),
    "em": Direction(em),
    "gradient": Direction(gradient, longest=float("inf")),
}


def direction_of(given: Any) -> Direction:
    """Give the direction of that name, or the one given.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if isinstance(given, Direction):
        return given
    if not isinstance(given, str) or given not in DIRECTIONS:
        known = ", ".join(map(repr, DIRECTIONS))
        raise ValueError(f"`direction` must be one of {known}; got {given!r}.")
    return DIRECTIONS[given]
