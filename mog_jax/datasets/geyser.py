"""The Old Faithful geyser."""

from importlib import resources
from typing import Any

import numpy as np


def faithful() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Waiting times between eruptions of the Old Faithful geyser, in minutes.

    Returns
    -------
    array, shape (272,)

    References
    ----------
    A. Azzalini and A. W. Bowman, "A look at some data on the Old Faithful geyser", Applied
    Statistics 39 (1990) 357-365.

    Examples
    --------
    >>> from mog_jax.datasets import faithful
    >>> waiting = faithful()
    >>> waiting.shape, float(waiting.min()), float(waiting.max())
    ((272,), 43.0, 96.0)
    """
    with resources.files(__package__).joinpath("faithful.csv").open(encoding="utf-8") as file:
        return np.loadtxt(file, skiprows=1, dtype=np.float64)
