"""Climbs from the starts to maxima of all points, by the package's ascent, one step a pass."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mog_jax.arrays import Array
from mog_jax.chunks.passes import Passes, Whole
from mog_jax.chunks.starts import Start, same_place
from mog_jax.fitting.climb import derivatives
from mog_jax.fitting.climb.ascent import Ascent, ascend, begin
from mog_jax.fitting.multistart.polish import regularity
from mog_jax.fitting.options import AscentOptions, FitOptions
from mog_jax.kernel import Sums
from mog_jax.mixture import Coordinates

# Passes after which a climb that stays below another one is given up.
_PATIENCE = 10


class Climb(NamedTuple):
    """A climb, without lanes: its state, the observed information there, and what is free."""

    state: Ascent
    information: Array
    free: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Taken:
    """A dataset whose nine sums at the climb's proposal are already computed."""

    taken: Sums
    count: jax.Array
    free: jax.Array

    def sums(self, coordinates: Coordinates) -> Sums:
        """Return those sums."""
        return self.taken.unstacked()


def climb(
    passes: Passes, starts: Sequence[Start], options: FitOptions, whole: Whole
) -> list[Climb]:
    """Climb from each start to the maximum above it; each pass is one step of all climbs.

    Parameters
    ----------
    passes : Passes
    starts : sequence of Start
    options : FitOptions
    whole : Whole

    Returns
    -------
    list of Climb
        Their ends, without climbs that met another one, or stayed for long below a regular
        maximum.
    """
    climbs = [Climb(begin(start.theta), np.full((5, 5), np.nan), start.free) for start in starts]
    ascent = options.ascent(searching=False)
    for made in itertools.count(1):
        going = [climb for climb in climbs if climb.state.climbing]
        if not going:
            return climbs
        taken = passes.sums([np.asarray(climb.state.proposal) for climb in going], whole)
        moved = iter([_moved(*each, ascent, whole) for each in zip(going, taken, strict=True)])
        climbs = _distinct([next(moved) if c.state.climbing else c for c in climbs])
        if made >= _PATIENCE:
            climbs = _not_trailing(climbs, options)
    raise AssertionError


def _not_trailing(climbs: Sequence[Climb], options: FitOptions) -> list[Climb]:
    """Return the climbs without active ones below a regular maximum that another has reached."""
    reached = max(
        (
            climb.state.sums.log_likelihood
            for climb in climbs
            if regularity(climb.state, options, under_way=False) == 0
        ),
        default=-np.inf,
    )
    return [c for c in climbs if not c.state.climbing or c.state.sums.log_likelihood >= reached]


def _distinct(climbs: Sequence[Climb]) -> list[Climb]:
    kept: list[Climb] = []
    for climb in climbs:
        if not any(same_place(climb.state.theta, other.state.theta) for other in kept):
            kept.append(climb)
    return kept


def _moved(climb: Climb, taken: Sums, options: AscentOptions, whole: Whole) -> Climb:
    here = _Taken(taken=taken, count=np.float64(whole.total), free=climb.free)  # type: ignore[arg-type]
    with jax.enable_x64(True):
        state, information = jax.tree.map(np.asarray, _step(climb.state, here, options))
    return climb._replace(state=state, information=information)


@functools.partial(jax.jit, static_argnames="options")
def _step(state: Ascent, here: _Taken, options: AscentOptions) -> tuple[Ascent, Any]:
    end = ascend(state, here, steps=1, **options.as_arguments())
    return end, derivatives.information(tuple(end.theta), end.sums.unstacked()).dense()
