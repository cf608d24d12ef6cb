import sys

import matplotlib
import numpy as np
import pytest

import mog_jax
from mog_jax.plots import plot_fit

matplotlib.use("agg")


def test_draws_histogram_density_components_and_responsibilities():
    x = np.append(mog_jax.datasets.faithful(), np.nan)
    figure = plot_fit(mog_jax.fit(x), x, label="minutes")
    top, bottom = figure.axes
    heights = [bar.get_height() * bar.get_width() for bar in top.patches]
    assert sum(heights) == pytest.approx(1)
    low, high, total = (line.get_ydata() for line in top.lines)
    np.testing.assert_allclose(low + high, total, rtol=1e-9)
    assert bottom.get_xlabel() == "minutes"
    np.testing.assert_allclose(bottom.lines[0].get_ydata() + bottom.lines[1].get_ydata(), 1)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    x = mog_jax.datasets.faithful()
    fit = mog_jax.fit(x)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'mog_jax\[plot\]'"):
        plot_fit(fit, x)
