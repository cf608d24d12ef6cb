r"""Hypothesis strategies for inputs of numerical code: scales, offsets, probabilities, data.

Bare `floats()` yields ties at once, but hardly ever an offset together with a scale. So sizes,
scales, offsets and standard scores are drawn separately, each with its edges (0, ties, 1,000
standard deviations) drawn often. All arrays are float64; the arrays of a strategy have one shape,
because each new shape is compiled anew.
"""

from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np

from mog_jax.crosscheck.arrays import Array


def positives(
    shape: int | tuple[int, ...] = (), *, log10_range: tuple[float, float] = (-6, 6)
) -> st.SearchStrategy[Array]:
    """Draw positive numbers over many orders of magnitude: scales, variances, rates.

    Parameters
    ----------
    shape : int or tuple of int
    log10_range : pair of float
        Smallest and largest power of ten; both are drawn often, and so is 1 if it lies between.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(positives(2), lambda values: True)
    array([1., 1.])
    """
    low, high = _ordered("log10_range", log10_range)
    edges = sorted({low, high} | ({0.0} if low <= 0 <= high else set()), key=abs)
    exponent = st.sampled_from(edges) | st.floats(low, high)
    return _filled(shape, exponent.map(lambda e: 10.0**e))


def reals(shape: int | tuple[int, ...] = (), *, bound: float = 1e6) -> st.SearchStrategy[Array]:
    """Draw real numbers of either sign, of every size up to `bound`, with exact zeros.

    Examples
    --------
    >>> from hypothesis import find
    >>> float(find(reals(), lambda value: value < 0))
    -1.0
    """
    if not 0 < bound < np.inf:
        raise ValueError(f"`bound` must be positive and finite; got {bound!r}.")
    top = float(np.log10(bound))
    sized = st.builds(
        lambda sign, exponent: sign * 10.0**exponent,
        st.sampled_from([1.0, -1.0]),
        st.floats(min(-6.0, top - 1), top),
    )
    simple = [value for value in (0.0, 1.0, -1.0, 0.5) if abs(value) <= bound]
    return _filled(shape, st.sampled_from([*simple, bound, -bound]) | sized)


@st.composite
def simplex_weights(
    draw: st.DrawFn, k: int = 2, *, smallest: float = 1e-12, zeros: bool = False
) -> Array:
    """Draw `k` probabilities that sum to 1, each from near 1 down to `smallest`.

    Parameters
    ----------
    k : int
        Number of probabilities.
    smallest : float
        The ratio of the smallest to the largest is at least this, and it is drawn often.
    zeros : bool
        Whether some may be exactly 0.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(simplex_weights(2), lambda weights: True)
    array([0.5, 0.5])
    """
    if k < 1:
        raise ValueError(f"`k` must be at least 1; got {k!r}.")
    if not 0 < smallest < 1:
        raise ValueError(f"`smallest` must lie between 0 and 1; got {smallest!r}.")
    low = float(np.log10(smallest))
    exponent = st.sampled_from([0.0, low, low / 2]) | st.floats(low, 0)
    size = exponent.map(lambda e: 10.0**e)
    if zeros:
        size = size | st.just(0.0)
    sizes = np.array(draw(st.lists(size, min_size=k, max_size=k)))
    if not sizes.any():
        sizes[0] = 1.0
    return np.asarray(sizes / sizes.sum())


@st.composite
def locations(draw: st.DrawFn, shape: int | tuple[int, ...] = (), *, offset: float = 1e8) -> Array:
    """Draw positions that share an offset, large or none, and differ on a scale of their own.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(locations(2), lambda values: True)
    array([0., 0.])
    """
    middle = draw(st.sampled_from([0.0, 1.0, -offset, offset]) | st.floats(-10, 10))
    scale = draw(st.sampled_from([1.0, 1e-3, 1e3]))
    spread = draw(_filled(shape, st.sampled_from([0.0, 1.0, -1.0, 10.0]) | st.floats(-10, 10)))
    return np.asarray(middle + scale * spread)


def scores(shape: int | tuple[int, ...] = (), *, largest: float = 1e3) -> st.SearchStrategy[Array]:
    """Draw standard scores: mostly within 6 standard deviations, some at 9, 45 and `largest`.

    Exact zeros and ties are drawn often.

    Examples
    --------
    >>> from hypothesis import find
    >>> float(abs(find(scores(3), lambda z: abs(z).max() > 6)).max())
    9.0
    """
    far = [value for value in (0.0, 1.0, -9.0, 45.0, largest, -largest) if abs(value) <= largest]
    return _filled(shape, st.sampled_from(far) | st.floats(-min(6.0, largest), min(6.0, largest)))


@st.composite
def data_around(
    draw: st.DrawFn,
    centres: Sequence[float] | Array,
    deviations: Sequence[float] | Array,
    n: int,
    *,
    largest: float = 1e3,
    distinct: int = 8,
) -> Array:
    """Draw `n` points as standard scores about given centres, some of them repeated.

    At most `distinct` different points are drawn and then repeated to fill `n`, so that there are
    ties, and points exactly on a centre.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(data_around([5.0], [2.0], 3), lambda x: x.max() > 5)
    array([7., 7., 7.])
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1; got {n!r}.")
    centres, deviations = np.atleast_1d(centres), np.atleast_1d(deviations)
    which = st.integers(0, len(centres) - 1)
    few = draw(
        st.lists(st.tuples(which, scores(largest=largest)), min_size=1, max_size=min(n, distinct))
    )
    return np.resize([centres[k] + float(z) * deviations[k] for k, z in few], n)


def _filled(
    shape: int | tuple[int, ...], element: st.SearchStrategy[float]
) -> st.SearchStrategy[Array]:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    size = int(np.prod(shape, dtype=int))
    # Ties are drawn on purpose: independent floats are never equal.
    each = st.lists(element, min_size=size, max_size=size)
    if size > 1:
        each = each | element.map(lambda value: [value] * size)
    return each.map(lambda values: np.array(values, dtype=np.float64).reshape(shape))


def _ordered(name: str, pair: tuple[float, float]) -> tuple[float, float]:
    low, high = pair
    if not low <= high:
        raise ValueError(f"`{name}` must be (smallest, largest); got {pair!r}.")
    return float(low), float(high)
