"""Fits two-component mixtures by maximum likelihood, to one dataset or a whole batch.

A fit passes through these modules once, in this order; b datasets, n points, L lanes:

=============================  =====================================================================
`options`                      the options of the caller, checked once
`data.inputs`                  any form of data -> `Datasets`
`data.buckets`                 `Datasets` -> blocks of b datasets of similar length, one to a thread
`in_blocks`                    blocks fitted on several threads, each into its place of the batch
`data.standardise`             a block -> points `(b, n)`: sorted, mean 0 and variance 1; a sample
                               of datasets with many points
`multistart.starts`            sample -> theta `(5, starts, b)` and the windows of the starts
`multistart.coreset`           windows -> weighted points `(96, starts, b)`
`multistart.search`            climbs from all starts in float32: on coresets, then on the sample
`multistart.pruning`           ... a few steps at a time, dropping those that cannot become the best
`multistart.packing`           climbs -> tiles of L lanes in buffers of fixed shape
`climb.tiles`                  the compiled program: buffers and numbers -> climbs, some steps on
`climb.ascent`                 a step of that program: nine sums -> direction -> new mixture
`multistart.polish`            the best ends, climbed on all points in the data's precision
`multistart.maximise`          the best regular maximum of each dataset, states `(28, b)`
`results.describe`             back to the data's unit and order -> `Fit`
=============================  =====================================================================

`api` has `fit`; `fit_block` and `in_blocks` take blocks through these stages. Beside them stand
`local_maximum`, one climb under `jit`, `vmap` and `grad`, and `ascent_path`, one climb with all its
steps; `parameterisation` converts between mixtures and the coordinates of a climb.

Values that are intervals (rounded, binned, censored, truncated) go through `intervals` instead,
which has a map of its own; the result is a `Fit` as well.

Only `climb.tiles` is compiled, once for each precision: no shape in it depends on the data, and
tolerance, floor and limits are numbers. (Another direction, equal variances, fixed parameters,
counts, and datasets of more than half a million points need programs of their own.) All other
modules use NumPy. The fit of a dataset depends on that dataset alone, to the last bit.

Words
-----
ascent, climb
    One run of the optimiser from one start.
start, multi-start
    As in global optimisation: where a climb begins; many of them, and the best end is kept.
lane, tile
    A lane is a climb's place in a row of the SIMD unit; a tile is L lanes side by side.
strip
    A part of a long dataset, on a lane of its own.
turn
    Sixteen points, the unit of the kernel's loop.
coreset
    Weighted points that stand for the data in a climb: single near its start, grouped far away.
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
