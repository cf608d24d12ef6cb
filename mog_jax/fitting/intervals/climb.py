"""Maximises the likelihood of intervals by a safeguarded Newton method, for many climbs at once.

Each step is one pass over the data, by `kernel`. Where the information is positive definite it is
Newton's step; elsewhere the eigenvalues are replaced by their absolute values, in the metric of EM,
in which an eigenvalue of 1 gives the EM step. The first steps are no longer than EM's in that
metric, so that a climb stays near its start. A step that does not climb is shortened.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.intervals.kernel import evaluate
from mog_jax.fitting.intervals.observations import Intervals
from mog_jax.penalty import penalty, penalty_information, penalty_slopes

_EM_STEPS = 6
# Largest change of a step: log-odds, means in standard deviations, log-variances.
_FARTHEST = np.array([2.0, 2.0, 2.0, 1.0, 1.0])
# Below this eigenvalue, in the metric of EM, the information counts as singular.
SINGULAR = 1e-7
_LEAST_CURVATURE = 0.02
# A climb stops where the value is not concave and the predicted gain is below this, in nats.
_NOTHING = 1e-10
# A step that does not climb is shortened by this factor, and this many times at most.
_CUT, _MOST_CUTS = 0.25, 12
# Steps after convergence: Newton's method doubles the digits with each.
_LAST_STEPS = 2
_ROUNDINGS = 64 * float(np.finfo(np.float64).eps)


class Climbs(NamedTuple):
    """The starts and constraints of A climbs.

    Attributes
    ----------
    theta : array, shape (A, 5)
        Coordinates.
    dataset : array of int, shape (A,)
        Dataset of each climb.
    basis : array, shape (A, 5, 5)
        The columns are the directions in which a climb may go; zeros stand for none.
    penalty_weight : array, shape (A,)
        As :mod:`mog_jax.penalty` has it; 0 for none.
    penalty_unit : array, shape (A, 2)
        Log-variance of each component at which its penalty is least: 0, that of the data.
    lowest : array, shape (A,)
        Lowest log-variance of a component.
    """

    theta: Array
    dataset: Array
    basis: Array
    penalty_weight: Array
    penalty_unit: Array
    lowest: Array

    def chosen(self, index: Array) -> "Climbs":
        """Return some of the climbs."""
        return Climbs(*(field[index] for field in self))

    def in_units(self, theta: Array) -> Array:
        """Return the coordinates to which the penalty applies, shape (5, A)."""
        shifted = theta.T.copy()
        shifted[3:] -= self.penalty_unit.T
        return shifted


@dataclasses.dataclass(eq=False, kw_only=True)
class Ends:
    """The ends of A climbs.

    Attributes
    ----------
    theta : array, shape (A, 5)
        Coordinates.
    value : array, shape (A,)
        The log-likelihood with the penalty, in nats.
    log_likelihood : array, shape (A,)
        The log-likelihood, in nats.
    gradient, information : array, shape (A, 5), (A, 5, 5)
        Derivatives of the log-likelihood, without the penalty.
    gain_left : array, shape (A,)
        The Newton decrement of the value; infinite where it is not concave.
    least_curvature : array, shape (A,)
        Smallest eigenvalue of the value's information in the metric of EM.
    first_width : array, shape (A,)
        As in :class:`mog_jax.fitting.intervals.kernel.Sums`.
    weakest : array, shape (A, 5)
        Squares of the eigenvector of that eigenvalue: large for the least determined coordinates.
    is_flat : array of bool, shape (A,)
        Whether the climb has ended where no gain is left and the value is not concave.
    n_passes : array of int, shape (A,)
        Passes over the data.
    """

    theta: Array
    value: Array
    log_likelihood: Array
    gradient: Array
    information: Array
    first_width: Array
    gain_left: Array
    least_curvature: Array
    weakest: Array
    is_flat: Array
    n_passes: Array

    def chosen(self, index: Array) -> "Ends":
        """Return some of the ends."""
        fields = {
            field.name: getattr(self, field.name)[index] for field in dataclasses.fields(self)
        }
        return Ends(**fields)


def climb(climbs: Climbs, data: Intervals, *, tolerance: float, max_steps: int) -> Ends:
    """Climb until less than `tolerance` nats are left to be gained, or for `max_steps` steps."""
    number = len(climbs.theta)
    ends = Ends(
        theta=climbs.theta.copy(),
        value=np.full(number, -np.inf),
        log_likelihood=np.full(number, -np.inf),
        gradient=np.zeros((number, 5)),
        information=np.zeros((number, 5, 5)),
        first_width=np.zeros(number),
        gain_left=np.full(number, np.inf),
        least_curvature=np.full(number, -np.inf),
        weakest=np.zeros((number, 5)),
        is_flat=np.zeros(number, bool),
        n_passes=np.zeros(number, np.int64),
    )
    proposal, direction = climbs.theta.copy(), np.zeros((number, 5))
    step, taken, cuts, arrived = np.ones(number), *np.zeros((3, number), np.int64)
    active = np.arange(number)
    for _ in range(max_steps):
        if not active.size:
            break
        own = climbs.chosen(active)
        rose = _move(ends, active, own, proposal[active], data)
        ends.n_passes[active] += 1
        up, down = active[rose], active[~rose]
        step[up], cuts[up] = 1.0, 0
        step[down] *= _CUT
        cuts[down] += 1
        taken[up] += 1
        direction[up] = _directions(ends, up, climbs.chosen(up), data, taken[up])
        arrived[up] = np.where(ends.gain_left[up] <= tolerance, arrived[up] + 1, 0)
        proposal[active] = ends.theta[active] + step[active, None] * direction[active]
        lowest = climbs.lowest[active, None]
        proposal[active, 3:] = np.maximum(proposal[active, 3:], lowest)
        going = (arrived[active] <= _LAST_STEPS) & (cuts[active] < _MOST_CUTS)
        going &= (proposal[active] != ends.theta[active]).any(axis=1) & ~ends.is_flat[active]
        active = active[going]
    return ends


def _move(ends: Ends, active: Array, own: Climbs, proposal: Array, data: Intervals) -> Array:
    """Evaluate proposals, accept those that climb, and return which do."""
    with np.errstate(over="ignore", invalid="ignore"):
        sums = evaluate(proposal, own.dataset, data)
        value = sums.log_likelihood + penalty(own.in_units(proposal), own.penalty_weight, xp=np)
    slack = _ROUNDINGS * (data.total[own.dataset] + np.abs(value))
    rose: Array = np.isfinite(value) & (value >= ends.value[active] - slack)
    rose &= np.isfinite(sums.gradient).all(axis=1) & np.isfinite(sums.information).all(axis=(1, 2))
    up = active[rose]
    ends.theta[up], ends.value[up] = proposal[rose], value[rose]
    ends.log_likelihood[up] = sums.log_likelihood[rose]
    ends.gradient[up], ends.information[up] = sums.gradient[rose], sums.information[rose]
    ends.first_width[up] = sums.first_width[rose]
    return rose


def _directions(ends: Ends, up: Array, own: Climbs, data: Intervals, taken: Array) -> Array:
    """Return a direction for each climb, and store its decrement and curvature in `ends`."""
    theta = ends.theta[up]
    gradient, information = ends.gradient[up], ends.information[up]
    seen = own.in_units(theta)
    gradient[:, 3:] += np.stack(penalty_slopes(seen, own.penalty_weight, xp=np), axis=1)
    curvature = np.stack(penalty_information(seen, own.penalty_weight, xp=np), axis=1)
    information[:, [3, 4], [3, 4]] += curvature
    em = _em_information(theta, ends.gradient[up], data.total[own.dataset])
    em[:, 3:] += curvature
    basis = own.basis
    # A variance that is at its lowest and would fall further is not free.
    stopped = (theta[:, 3:] <= own.lowest[:, None]) & (gradient[:, 3:] < 0)
    basis = np.where(np.pad(stopped, ((0, 0), (3, 0)))[:, :, None], 0, basis)
    unused = ~basis.any(axis=1)
    own_em = np.where(unused, 1, np.einsum("aij,ai,aij->aj", basis, em, basis))
    scale = np.where(unused, 0, 1 / np.sqrt(own_em))
    scaled = basis * scale[:, None, :]
    matrix = np.einsum("aij,aik,akl->ajl", scaled, information, scaled)
    matrix[:, range(5), range(5)] += unused
    eigenvalues, vectors = np.linalg.eigh(matrix)
    slope = np.einsum("aji,akj,ak->ai", vectors, scaled, gradient)
    least = eigenvalues.min(axis=1)
    is_concave = least > SINGULAR
    with np.errstate(divide="ignore", invalid="ignore"):
        decrement = 0.5 * (np.square(slope) / eigenvalues).sum(axis=1)
    ends.gain_left[up] = np.where(is_concave, decrement, np.inf)
    ends.least_curvature[up] = least
    curved = np.maximum(np.abs(eigenvalues), _LEAST_CURVATURE)
    metric = np.where(is_concave[:, None], eigenvalues, curved)
    metric = np.where(taken[:, None] <= _EM_STEPS, np.maximum(metric, 1), metric)
    ends.weakest[up] = np.square(vectors[:, :, 0])
    ends.is_flat[up] = ~is_concave & ((0.5 * np.square(slope) / curved).sum(axis=1) <= _NOTHING)
    move = np.einsum("aij,ajk,ak->ai", scaled, vectors, slope / metric)
    unit = np.ones_like(move)
    unit[:, 1:3] = np.exp(0.5 * theta[:, 3:])
    longest = (np.abs(move) / (unit * _FARTHEST)).max(axis=1)
    shortened: Array = move / np.maximum(longest, 1)[:, None]
    return shortened


def effective_counts(theta: Array, gradient: Array, total: Array) -> Array:
    """Return the sums of the responsibilities, shape (A, 2), from the gradient by the log-odds."""
    share = 1 / (1 + np.exp(-np.stack([theta[:, 0], -theta[:, 0]], axis=1)))
    first = np.stack([gradient[:, 0], -gradient[:, 0]], axis=1)
    counts: Array = total[:, None] * share + first
    return counts


def _em_information(theta: Array, gradient: Array, total: Array) -> Array:
    """Return the diagonal of the complete-data information, shape (A, 5)."""
    counts = effective_counts(theta, gradient, total)
    # With a window, a sum of the responsibilities may be negative.
    counts = np.clip(counts, 1e-6 * total[:, None], total[:, None])
    logit = total / (4 * np.square(np.cosh(np.clip(0.5 * theta[:, 0], -300, 300))))
    logit = np.maximum(logit, 1e-6)
    return np.concatenate([logit[:, None], counts * np.exp(-theta[:, 3:]), 0.5 * counts], axis=1)
