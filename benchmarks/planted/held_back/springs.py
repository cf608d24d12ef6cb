"""Springs between points: gathers, and scatters that must add."""

import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform

planted = Collection("held back")

_EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]])


def energy(positions, lengths):
    """Half the squared extensions of five springs between four points."""
    difference = positions[_EDGES[:, 0]] - positions[_EDGES[:, 1]]
    distance = jnp.sqrt(jnp.sum(difference * difference, axis=1))
    return 0.5 * jnp.sum(jnp.square(distance - lengths))


def _pulls(positions, lengths):
    difference = positions[_EDGES[:, 0]] - positions[_EDGES[:, 1]]
    distance = jnp.sqrt(jnp.sum(difference * difference, axis=1))
    return difference * ((distance - lengths) / distance)[:, None]


def spring_gradient(positions, lengths):
    """Each spring pulls at both its ends."""
    pulls = _pulls(positions, lengths)
    at_rest = jnp.zeros_like(positions)
    return at_rest.at[_EDGES[:, 0]].add(pulls).at[_EDGES[:, 1]].add(-pulls)


@st.composite
def _spring_inputs(draw: st.DrawFn):
    unit = draw(log_uniform(1e-2, 1e2))
    # Points jittered about a square: they never coincide, where distance has no derivative.
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    positions = unit * (square + draw(array(st.floats(-0.3, 0.3), 4, 2)))
    return positions, unit * draw(array(st.floats(0, 2), 5))


def _typical_springs(rng):
    return rng.normal(size=(4, 2)), rng.uniform(0.5, 1.5, size=5)


SPRINGS = Subject(
    name="springs",
    function=energy,
    derivative=spring_gradient,
    inputs=_spring_inputs(),
    typical=_typical_springs,
)


@planted.bug(SPRINGS, "index", "wrong_formula")
def set_for_add(positions, lengths):
    """Set in the place of add: where a point has two springs, one counts."""
    pulls = _pulls(positions, lengths)
    at_rest = jnp.zeros_like(positions)
    return at_rest.at[_EDGES[:, 0]].set(pulls).at[_EDGES[:, 1]].add(-pulls)


@planted.bug(SPRINGS, "sign", "wrong_formula")
def both_ends_alike(positions, lengths):
    """Both ends are pulled in the same direction."""
    pulls = _pulls(positions, lengths)
    at_rest = jnp.zeros_like(positions)
    return at_rest.at[_EDGES[:, 0]].add(pulls).at[_EDGES[:, 1]].add(pulls)


@planted.bug(SPRINGS, "dropped", "wrong_formula")
def chord_forgotten(positions, lengths):
    """The last spring is left out."""
    pulls = _pulls(positions, lengths).at[-1].set(0)
    at_rest = jnp.zeros_like(positions)
    return at_rest.at[_EDGES[:, 0]].add(pulls).at[_EDGES[:, 1]].add(-pulls)


@planted.bug(SPRINGS, "clip", "wrong_formula")
def slack_springs(positions, lengths):
    """A spring under its length does not push."""
    difference = positions[_EDGES[:, 0]] - positions[_EDGES[:, 1]]
    distance = jnp.sqrt(jnp.sum(difference * difference, axis=1))
    pulls = difference * (jnp.maximum(distance - lengths, 0) / distance)[:, None]
    at_rest = jnp.zeros_like(positions)
    return at_rest.at[_EDGES[:, 0]].add(pulls).at[_EDGES[:, 1]].add(-pulls)


@planted.rewriting(SPRINGS)
def by_incidence_matrix(positions, lengths):
    """The pulls are gathered by the network's incidence matrix."""
    incidence = np.zeros((5, 4))
    incidence[np.arange(5), _EDGES[:, 0]] = 1
    incidence[np.arange(5), _EDGES[:, 1]] = -1
    matrix = jnp.asarray(incidence, dtype=positions.dtype)
    difference = matrix @ positions
    distance = jnp.linalg.norm(difference, axis=1)
    return matrix.T @ (difference * (1 - lengths / distance)[:, None])
