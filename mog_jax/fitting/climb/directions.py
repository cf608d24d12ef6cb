r"""Defines the directions of the ascent: Newton, EM and gradient.

A direction is :math:`P(\theta)\,\nabla\mathcal L` for a positive definite :math:`P`, so that a
short enough step gains. It is given to the ascent as a function from a `LocalModel` and a step
length to a change of the five coordinates (:mod:`mog_jax.fitting.climb.derivatives`); a user may
write another.
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
    """Sums and derivatives at the current coordinates, with the constraints taken into account.

    A fixed coordinate has gradient 0 and a row of the identity in both matrices; with equal
    variances the fourth coordinate stands for both variances, and the fifth is fixed.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
        The current coordinates.
    sums : Sums, shape (*lanes)
        The nine sums at `theta`; a pair of arrays for each component, and five cross sums.
    gradient : five arrays, shape (*lanes)
    information : Symmetric, 5 by 5
        Minus the Hessian.
    complete_information : Symmetric, 5 by 5
        The information if each point's component were known; positive definite.
    newton_move : five arrays, shape (*lanes)
        Solution of information x move = gradient.
    concave : array of bool, shape (*lanes)
        Whether the information is positive definite; if not, `newton_move` is meaningless.
    free : five arrays of bool, shape (*lanes), or True
        The coordinates that may move.
    equal_variances : bool
        Whether the components share one variance.
    pseudo_points : array, shape (*lanes), or None
        Pseudo-points of the penalty on the variances, which the gradient and both matrices include.
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
    """A direction of the ascent, and its longest step.

    Parameters
    ----------
    propose : function of (LocalModel, step)
        Returns the change of the five coordinates, five arrays of shape (*lanes). The ascent
        shortens `step`, shape (*lanes), where a proposal did not climb, and lengthens it where one
        did.
    longest : float
        Largest value of `step`: 1 if the proposal at step 1 is the whole move.
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
    """Compute the derivatives at a mixture, under the constraints.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
        The current coordinates.
    sums : Sums, shape (*lanes)
        The nine sums at `theta`.
    free : five arrays of bool, shape (*lanes), or None
        The coordinates that may move; None for all.
    equal_variances : bool
        Whether the components share one variance.
    smallest : float
        Log-variance on or below which a component may not shrink further.
    pseudo_points : array, shape (*lanes), or None
        Pseudo-points of the penalty on the variances in each component; None for no penalty.

    Returns
    -------
    LocalModel
    """
    gradient = derivatives.gradient(theta, sums, pseudo_points)
    information = derivatives.information(theta, sums, pseudo_points=pseudo_points)
    complete = derivatives.complete_information(theta, sums, pseudo_points=pseudo_points)
    moves: list[jax.Array | bool] = [True] * 5 if free is None else list(free)
    if equal_variances:
        # One coordinate moves both variances: its slope is the sum of theirs.
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
    """Return the value where a coordinate is free; no operation if it is free in all lanes."""
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
    r"""Newton's step where the likelihood is concave, and a damped step that climbs elsewhere.

    Solves :math:`(I+\lambda D)\,\delta=\nabla\mathcal L` with the observed information :math:`I`
    and the complete-data information :math:`D`, at :math:`\lambda=1/\text{step}-1`, or a twentieth
    of that where the likelihood is concave. At :math:`\lambda=0` it is Newton's step; since
    :math:`I=D-B` with the covariance :math:`B` of equation (25), large :math:`\lambda` gives a
    short step like EM's. Where the likelihood is not concave, :math:`\lambda` is at least 0.15;
    where the damped matrix is not positive definite either, the move is the EM step.

    Parameters
    ----------
    model : LocalModel
    step : array, shape (*lanes)

    Returns
    -------
    five arrays, shape (*lanes)
        Shortened to at most one unit of the complete-data metric: on average a standard deviation
        a point.
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
    # The EM step is certain to climb at its full length only.
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
    """Steepest ascent in the five coordinates, per point.

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
    """Return the direction with the given name, or `given` itself if it is a `Direction`.

    Raises
    ------
    ValueError
        If no direction has that name.
    """
    if isinstance(given, Direction):
        return given
    if not isinstance(given, str) or given not in DIRECTIONS:
        known = ", ".join(map(repr, DIRECTIONS))
        raise ValueError(f"`direction` must be one of {known}; got {given!r}.")
    return DIRECTIONS[given]
