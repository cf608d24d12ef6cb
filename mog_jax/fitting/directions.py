r"""Ways uphill: each proposes a move from what the nine sums say at the current mixture.

A direction is :math:`P(\theta)\,\nabla\mathcal L` for a positive definite :math:`P`, so that a
short enough step gains. The ascent knows a direction only by its function from a `View` and a step
length to a change of the five coordinates (:mod:`mog_jax.fitting.coordinates`); yours may be
another.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from mog_jax.fitting import coordinates
from mog_jax.kernel import Sums
from mog_jax.mixture import Coordinates


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """What the ascent sees from where it stands. Constraints are already taken into account.

    A coordinate that is held has gradient 0 and a row of the identity in both matrices; with equal
    variances the fourth coordinate stands for both, and the fifth is held.

    Parameters
    ----------
    at : Coordinates, fields of shape (2, *lanes)
    sums : Sums, shape (*lanes)
    gradient : array, shape (5, *lanes)
    information : array, shape (5, 5, *lanes)
        Minus the Hessian.
    complete_information : array, shape (5, 5, *lanes)
        What it would be if each point told its component; positive definite.
    newton_move : array, shape (5, *lanes)
        Solution of information x move = gradient.
    concave : array of bool, shape (*lanes)
        Whether the information is positive definite; else `newton_move` means nothing.
    free : array of bool, shape (5, *lanes)
        The coordinates that may move.
    equal_variances : bool
        Whether the components share one variance.
    """

    at: Coordinates
    sums: Sums
    gradient: jax.Array
    information: jax.Array
    complete_information: jax.Array
    newton_move: jax.Array
    concave: jax.Array
    free: jax.Array
    equal_variances: bool = dataclasses.field(metadata={"static": True})


@dataclasses.dataclass(frozen=True)
class Direction:
    """A way uphill, and the longest step that makes sense for it.

    Parameters
    ----------
    propose : function of (View, step)
        Gives the change of the five coordinates, shape (5, *lanes); `step`, shape (*lanes), is
        shortened where a proposal did not climb, and lengthened again where it did.
    longest : float
        Of `step`. 1 where the proposal at step 1 is the whole move.
    """

    propose: Callable[[View, jax.Array], jax.Array]
    longest: float = 1.0


def look(
    at: Coordinates, sums: Sums, free: jax.Array, equal_variances: bool, *, smallest: float
) -> View:
    """Take in the slopes at a mixture, under the constraints.

    Parameters
    ----------
    at : Coordinates, fields of shape (2, *lanes)
    sums : Sums, shape (*lanes)
        Taken there.
    free : array of bool, shape (5, *lanes)
        The coordinates that may move.
    equal_variances : bool
        Whether the components share one variance.
    smallest : float
        Log-variance on or below which a component may not shrink further.

    Returns
    -------
    View
    """
    gradient = coordinates.gradient(at, sums)
    information = coordinates.information(at, sums)
    complete = coordinates.complete_information(at, sums)
    if equal_variances:
        gradient = _merge(gradient)
        information, complete = (
            jnp.swapaxes(_merge(jnp.swapaxes(_merge(matrix), 0, 1)), 0, 1)
            for matrix in (information, complete)
        )
        free = free.at[3].set(free[3] & free[4]).at[4].set(False)
    # A variance on its floor that would shrink is held there.
    pressed = (at.log_variances <= smallest) & (gradient[3:] < 0)
    free = jnp.concatenate([free[:3], free[3:] & ~pressed])
    both = free[:, None] & free[None, :]
    identity = jnp.eye(5, dtype=gradient.dtype).reshape(5, 5, *[1] * (gradient.ndim - 1))
    gradient = jnp.where(free, gradient, 0)
    information = jnp.where(both, information, identity)
    newton_move, concave = coordinates.solve(information, gradient)
    return View(
        at=at,
        sums=sums,
        gradient=gradient,
        information=information,
        complete_information=jnp.where(both, complete, identity),
        newton_move=newton_move,
        concave=concave,
        free=free,
        equal_variances=equal_variances,
    )


_LEAST_DAMPING = 1 / 3


def newton(view: View, step: jax.Array) -> jax.Array:
    r"""Newton's step where the likelihood is concave, and the nearest that climbs elsewhere.

    Solves :math:`(I+\lambda D)\,\delta=\nabla\mathcal L` with the observed information :math:`I`
    and the complete-data information :math:`D`, at :math:`\lambda=1/\text{step}-1`. At
    :math:`\lambda=0` it is Newton's step; since :math:`I=D-B` with the covariance :math:`B` of
    equation (25), large :math:`\lambda` gives a short step like EM's. Where the likelihood is not
    concave :math:`\lambda` is at least a third, and where that does not help it is the EM step.

    Parameters
    ----------
    view : View
    step : array, shape (*lanes)

    Returns
    -------
    array, shape (5, *lanes)
        Shortened to one unit of the complete-data metric: on average a standard deviation a point.
    """
    damping = jnp.maximum(1 / step - 1, _LEAST_DAMPING)
    damped, definite = coordinates.solve(
        view.information + damping[None, None] * view.complete_information, view.gradient
    )
    whole = view.concave & (step >= 1)
    move = jnp.where(whole[None], view.newton_move, damped)
    count = jnp.sum(view.sums.effective_counts, axis=0)
    length = jnp.sqrt(quadratic(view.complete_information, move) / count)
    move = move / jnp.maximum(length, 1)[None]
    # The EM step climbs at its full length, and only there.
    return jnp.where((whole | definite)[None], move, em(view, jnp.ones_like(step)))


def em(view: View, step: jax.Array) -> jax.Array:
    """The EM step, in the coordinates: at step 1 the textbook's, under the constraints.

    Parameters
    ----------
    view : View
    step : array, shape (*lanes)

    Returns
    -------
    array, shape (5, *lanes)

    References
    ----------
    Equations (16) to (19) of ``derivation.md``.
    """
    target = coordinates.em_step(view.at, view.sums, view.free, view.equal_variances)
    move = coordinates.pack(target) - coordinates.pack(view.at)
    return jnp.where(view.free, step[None] * move, 0)


def gradient(view: View, step: jax.Array) -> jax.Array:
    """Plain steepest ascent in the five coordinates, per point.

    Parameters
    ----------
    view : View
    step : array, shape (*lanes)

    Returns
    -------
    array, shape (5, *lanes)

    References
    ----------
    Equation (24) of ``derivation.md``.
    """
    return step[None] * view.gradient / jnp.sum(view.sums.effective_counts, axis=0)[None]


def quadratic(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """Give vᵀMv, shape (*lanes)."""
    return jnp.sum(vector * jnp.sum(matrix * vector[None], axis=1), axis=0)


def _merge(rows: jax.Array) -> jax.Array:
    # One variance moves both: its slope is the sum of theirs.
    return jnp.concatenate([rows[:3], (rows[3] + rows[4])[None], jnp.zeros_like(rows[4:])])


DIRECTIONS = {
    "newton": Direction(newton),
    "em": Direction(em),
    "gradient": Direction(gradient, longest=float("inf")),
}
