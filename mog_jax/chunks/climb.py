"""From the sample's fit to the maximum of all points: the package's own ascent, a step a pass."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from mog_jax.arrays import Array
from mog_jax.chunks.passes import Passes, Whole
from mog_jax.fitting.climb import derivatives
from mog_jax.fitting.climb.ascent import Ascent, ascend, begin
from mog_jax.fitting.options import AscentOptions
from mog_jax.kernel import Sums
from mog_jax.mixture import Coordinates


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Taken:
    """A dataset of which the sums at the climb's proposal are already there."""

    taken: Sums
    count: jax.Array
    free: jax.Array

    def sums(self, coordinates: Coordinates) -> Sums:
        """Give those sums."""
        return self.taken.unstacked()


def climb(
    passes: Passes,
    theta: Array,
    free: Array,
    options: AscentOptions,
    whole: Whole,
) -> tuple[Ascent, Array]:
    """Climb to the maximum above a start.

    Parameters
    ----------
    passes : Passes
    theta : array, shape (5,)
        The start, on the standard scale.
    free : array of bool, shape (5,)
        The coordinates that are not held fixed.
    options : AscentOptions
    whole : Whole

    Returns
    -------
    Ascent, without lanes
        NumPy arrays: where the climb ended.
    array, shape (5, 5)
        Observed information there.
    """
    state, observed = begin(theta), np.full((5, 5), np.nan)
    while state.climbing:
        taken = passes.sums(np.asarray(state.proposal), whole)
        here = _Taken(taken=taken, count=np.float64(whole.total), free=free)  # type: ignore[arg-type]
        with jax.enable_x64(True):
            state, observed = jax.tree.map(np.asarray, _step(state, here, options))
    return state, observed


@functools.partial(jax.jit, static_argnames="options")
def _step(state: Ascent, here: _Taken, options: AscentOptions) -> tuple[Ascent, Any]:
    end = ascend(state, here, steps=1, **options.as_arguments())
    return end, derivatives.information(tuple(end.theta), end.sums.unstacked()).dense()
