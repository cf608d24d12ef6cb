from pathlib import Path

import numpy as np

from mog_jax import datasets


def test_faithful_is_the_published_data():
    published = np.loadtxt(Path(__file__).parent / "data" / "faithful_waiting.csv", skiprows=1)
    np.testing.assert_array_equal(datasets.faithful(), published)
