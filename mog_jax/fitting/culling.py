"""Which climbs to give up: those that have met a better one, and those that cannot become the best.

Most of what a search costs are climbs that end where another one has already arrived, or lower. A
dataset's climbs are compared every few steps, all of them with each other: as a dense array, a row
for each start and a column for each dataset that has several.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.herd import COMPILER, Array, Herd

# Nats left at which the search leaves a climb to the finish.
SEARCH_TOLERANCE = 1e-3
# Nats left at which a climb's end can be foretold, and how many times as much it may still gain.
_SETTLING = 1.0
_SURPRISE = 3.0
# Nats left at which a climb may be held against others before it has arrived.
_CERTAIN = 0.1
# Two climbs have met when they are closer than this, in nats by the information, and in value.
_SAME_PLACE = 0.5
_SAME_VALUE = 0.1
# So few datasets are compared by a program of their own.
_FEW = 128


def worth_while(
    climbs: Herd,
    shape: tuple[int, int],
    scale: Array,
    margin: Array,
    *,
    variance_floor: float,
    min_points: float,
    patient: bool = True,
) -> Array:
    """Say which climbs are to go on.

    Parameters
    ----------
    climbs : Herd
    shape : (starts, b)
        How many starts a dataset may have, and how many datasets there are.
    scale : array, shape (b,)
        Points that each point of the sample stands for.
    margin : array, shape (b,)
        Nats by which the sample may be wrong about which of two climbs ends higher.
    variance_floor : float
        In units of the data's variance.
    min_points : float
        What each component of a regular maximum holds.
    patient : bool
        Whether a climb may go on below another one that is nearly at its end, for as long as it
        cannot be foretold where it will end itself.

    Returns
    -------
    array of bool, shape (lanes,)
    """
    state, dataset, dtype = climbs.state, climbs.dataset, climbs.rows.dtype
    # A climb that is alone goes on. Those of other datasets come side by side, a column for each.
    kept: Array = np.isfinite(state.sums.log_likelihood)
    contested = np.bincount(dataset, minlength=shape[1]) > 1
    number = np.count_nonzero(contested)
    if number == 0:
        return kept
    n_starts, width = shape
    among: Array | slice
    if number <= _FEW < width:
        among, width = contested[dataset], _FEW
    else:
        among, contested = slice(None), np.ones(width, bool)
    column = np.cumsum(contested) - 1
    place = climbs.start[among] * width + column[dataset[among]]
    dense = np.full((9, n_starts * width), np.nan, dtype)
    fields = [*state.theta, *state.sums.effective_counts, state.sums.log_likelihood]
    # Row by row: several times faster than to index all of them at once.
    for row, field in zip(dense, [*fields, state.gain_left], strict=True):
        row[place] = field[among]
    weighing = np.zeros((2, width), dtype)
    weighing[:, : column[-1] + 1] = scale[contested], margin[contested]
    going = _dense_worth_while(
        dense.reshape(9, n_starts, width),
        *weighing,
        variance_floor=variance_floor,
        min_points=min_points,
        patient=np.bool_(patient),
    )
    kept[among] = np.asarray(going).ravel()[place]
    return kept


@functools.partial(
    jax.jit,
    static_argnames=("variance_floor", "min_points"),
    compiler_options=COMPILER,
)
def _dense_worth_while(
    dense: jax.Array,
    scale: jax.Array,
    margin: jax.Array,
    *,
    variance_floor: float,
    min_points: float,
    patient: jax.Array,
) -> jax.Array:
    """Decide for all climbs, shape (starts, b), at once.

    `dense`, shape (9, starts, b), holds the coordinates, effective counts, log-likelihood and gain
    left of each climb; NaN where there is none.
    """
    n_starts = dense.shape[1]
    scale = scale[None]
    theta, counts = list(dense[:5]), [dense[5] * scale, dense[6] * scale]
    value, gain_left = dense[7] * scale, dense[8] * scale
    there = jnp.isfinite(value)
    value = jnp.where(there, value, -jnp.inf)
    # The complete-data information of each climb: what a step away from it costs, in nats.
    weights = [
        counts[0] * counts[1] / (counts[0] + counts[1]),
        counts[0] * jnp.exp(-theta[3]),
        counts[1] * jnp.exp(-theta[4]),
        0.5 * counts[0],
        0.5 * counts[1],
    ]
    fewest = jnp.minimum(*counts)
    above_floor = jnp.minimum(theta[3], theta[4]) > math.log(variance_floor) + 1e-6
    regular = (fewest >= min_points) & above_floor
    order = jnp.arange(n_starts, dtype=np.int32)[:, None]
    met = jnp.zeros(value.shape, bool)
    for other in range(n_starts):
        its = [each[other : other + 1] for each in theta]
        mirrored = [-its[0], its[2], its[1], its[4], its[3]]
        apart = [
            sum(w * jnp.square(a - b) for w, a, b in zip(weights, theta, them, strict=True))
            for them in (its, mirrored)
        ]
        near = jnp.minimum(*apart) < _SAME_PLACE
        its_value, its_regularity = value[other : other + 1], regular[other : other + 1]
        level = jnp.abs(value - its_value) < _SAME_VALUE
        better = (its_value > value) | ((its_value == value) & (other < order))
        # The regular one of two is kept, be it the lower one.
        met = met | (near & level & jnp.where(regular == its_regularity, better, its_regularity))
    # What has arrived is in hand, and stays so: others may still leave a ridge to become irregular.
    arrived = regular & (gain_left < SEARCH_TOLERANCE)
    sure = _highest(value, arrived)
    kept = arrived & (value >= sure)
    settling = gain_left < _SETTLING
    # Twice the points that it must hold: it may lose some on its way.
    promising = regular & (gain_left < _CERTAIN) & (fewest >= 2 * min_points)
    in_hand = jnp.maximum(sure, _highest(value, promising))
    beaten = value + _SURPRISE * gain_left + margin[None] < in_hand
    # A component that is about to settle with far too few points will not be regular.
    too_few = (fewest < 0.7 * min_points) & (in_hand > -jnp.inf)
    dropped = settling & (beaten | too_few)
    behind = value + jnp.where(settling, gain_left, 0) < in_hand
    dropped = dropped | (behind & ~patient)
    going: jax.Array = there & ~met & (kept | ~dropped)
    return going


def _highest(value: jax.Array, among: jax.Array) -> jax.Array:
    return jnp.max(jnp.where(among, value, -jnp.inf), axis=0, keepdims=True)
