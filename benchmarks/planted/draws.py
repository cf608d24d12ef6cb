"""Parts of the strategies of several subjects: structured numbers, not bare floats."""

import numpy as np
from hypothesis import strategies as st

sizes = st.sampled_from([1, 2, 5, 20])

# Standard scores: the bulk, the centre, ties, and tails where densities underflow.
z_scores = st.one_of(
    st.floats(-3, 3),
    st.sampled_from([0.0, 1.0, -1.0, 9.0, -9.0, 45.0, -45.0, 1e3, -1e3]),
)


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    """Positive numbers whose decimal logarithm is what is drawn."""
    return st.floats(np.log10(low), np.log10(high)).map(lambda exponent: float(10.0**exponent))


def signed(magnitude: st.SearchStrategy[float]) -> st.SearchStrategy[float]:
    """Numbers of a drawn magnitude and either sign."""
    return st.builds(lambda size, sign: sign * size, magnitude, st.sampled_from([1.0, -1.0]))


def array(elements: st.SearchStrategy[float], *shape: int) -> st.SearchStrategy[np.ndarray]:
    """Float64 arrays of a fixed shape."""
    count = int(np.prod(shape))
    return st.lists(elements, min_size=count, max_size=count).map(
        lambda values: np.array(values, dtype=np.float64).reshape(shape)
    )
