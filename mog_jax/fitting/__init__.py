"""Maximum likelihood for two-component mixtures, one dataset or a whole batch.

A fit goes once through these rooms, and nothing flows back; b datasets, n points, L lanes:

=============================  =====================================================================
`options`                      what was asked for: checked once
`data.inputs`                  any form of data -> `Source`
`data.buckets`                 `Source` -> blocks of b datasets of similar length, one to a thread
`in_blocks`                    blocks fitted on several threads, each into its place of the batch
`data.standardise`             a block -> points `(b, n)`: sorted, mean 0 and variance 1; a sample
                               of those that have many
`multistart.starts`            sample -> theta `(5, starts, b)` and the windows that they are
`multistart.coreset`           windows -> weighted points `(96, starts, b)`
`multistart.search`            climbs from all starts in float32: on coresets, then on the sample
`multistart.pruning`           ... a few steps at a time, dropping those that cannot win
`multistart.packing`           climbs -> tiles of L lanes in buffers of fixed shape
`climb.tiles`                  THE program: buffers and numbers -> climbs, some steps further
`climb.ascent`                 what it does in a step: nine sums -> direction -> new mixture
`multistart.polish`            the best ends, climbed on all points in the data's precision
`multistart.maximise`          the best regular maximum of each dataset, states `(28, b)`
`results.describe`             back to the data's unit and order -> `Fit`
=============================  =====================================================================

Values that are intervals (rounded, binned, censored, truncated) go through `intervals` instead,
which has a map of its own, and end as the same `Fit`.

Only `climb.tiles` is compiled, once for each precision: no shape in it depends on the data, and
tolerance, floor and limits are numbers. (Another direction, equal variances, something fixed,
counts, or more than half a million points in a dataset are programs of their own.) All else is
NumPy. What is found of a dataset depends on that dataset alone, to the last bit.

Words
-----
ascent, climb
    One run of the optimiser from one start.
start, multi-start
    As in global optimisation: where a climb begins; many of them, and the best end is kept.
lane, tile
    A climb's place in a row of the SIMD unit; the L climbs that are side by side.
strip
    A part of a long dataset, on a lane of its own.
turn
    Sixteen points, the unit of the kernel's loop.
coreset
    Weighted points that stand for the data as they are seen from a start.
pruning
    Dropping climbs that have met a better one, or cannot become the best.
polish
    The last climb, on all points and in full precision.
regular, spurious
    Of a maximum: with enough points in each component, or without.
fixed
    Of a parameter: held at a value.
"""

from mog_jax.fitting.api import fit
from mog_jax.fitting.ascent_path import AscentPath, ascent_path
from mog_jax.fitting.climb.directions import Direction, LocalModel
from mog_jax.fitting.data.inputs import Ragged
from mog_jax.fitting.data.sparse import sparse_datasets
from mog_jax.fitting.local_maximum import local_maximum
from mog_jax.fitting.results.fit import Fit, OneComponent, Status

__all__ = [
    "AscentPath",
    "Direction",
    "Fit",
    "LocalModel",
    "OneComponent",
    "Ragged",
    "Status",
    "ascent_path",
    "fit",
    "local_maximum",
    "sparse_datasets",
]
