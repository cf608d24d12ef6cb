"""Nineteen samples from well-known public data: at its defaults the fit finds the best maximum.

They were chosen before they were first fitted, and nothing was tuned on them. Where the truth is
from, ``benchmarks/_truth.py`` says, and ``sources.json`` where the data are.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import mog_jax

FOLDER = Path(__file__).parent.parent / "data" / "real"
TRUTH = {
    name: known
    for name, known in json.loads((FOLDER / "truth.json").read_text(encoding="utf-8")).items()
    if not name.startswith("_")
}
SOURCES = json.loads((FOLDER / "sources.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fits():
    """All of them, fitted as one batch."""
    data = [np.loadtxt(FOLDER / f"{name}.csv", skiprows=1) for name in TRUTH]
    return dict(zip(TRUTH, mog_jax.fit(data), strict=True))


@pytest.mark.parametrize("name", TRUTH)
def test_the_best_known_maximum_is_reached(fits, name):
    fit, truth = fits[name], TRUTH[name]
    assert fit.converged
    assert fit.n_points == truth["n"]
    np.testing.assert_allclose(fit.log_likelihood, truth["log_likelihood"], rtol=1e-10)
    for field in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(fit.mixture, field), truth[field], rtol=1e-6)
    errors = fit.standard_errors()
    known = truth["standard_errors"]
    np.testing.assert_allclose(errors.weights, [known["weight"]] * 2, rtol=1e-6)
    for field in ("means", "standard_deviations"):
        np.testing.assert_allclose(getattr(errors, field), known[field], rtol=1e-6)


def test_the_truth_is_at_a_maximum_and_every_dataset_has_a_source():
    files = {path.stem for path in FOLDER.glob("*.csv")}
    assert files == set(TRUTH) == set(SOURCES)
    assert all(known["gradient_max_at_120_digits"] < 1e-30 for known in TRUTH.values())
