"""The maxima of real intervals, known to 20 digits: bins, half-lines, limits, rounding."""

import json
from pathlib import Path

import numpy as np
import pytest

import mog_jax

FOLDER = Path(__file__).parents[2] / "data" / "intervals"
# Those that were given, and five that were polished beside them.
TRUTH = {
    name: known
    for file in ("truth.json", "more.json")
    for name, known in json.loads((FOLDER / file).read_text(encoding="utf-8")).items()
}


def ends(known):
    """Lower and upper ends, infinite where they are open."""
    lower = np.array([-np.inf if end is None else end for end in known["lower"]])
    upper = np.array([np.inf if end is None else end for end in known["upper"]])
    return lower, upper


@pytest.fixture(scope="module")
def fits():
    """All of them, fitted as one batch."""
    lower, upper = zip(*(ends(known) for known in TRUTH.values()), strict=True)
    counts = [np.array(known["counts"]) for known in TRUTH.values()]
    return dict(zip(TRUTH, mog_jax.fit(list(lower), upper=list(upper), counts=counts), strict=True))


@pytest.mark.parametrize("name", TRUTH)
def test_the_maximum_is_reached(fits, name):
    fit, known = fits[name], TRUTH[name]
    assert fit.converged
    np.testing.assert_allclose(fit.n_points, sum(known["counts"]))
    np.testing.assert_allclose(fit.log_likelihood, float(known["log_likelihood"]), rtol=1e-10)
    mixture = fit.mixture
    for field in ("weights", "means", "standard_deviations"):
        truth = np.array(known["sds" if field == "standard_deviations" else field], np.float64)
        np.testing.assert_allclose(getattr(mixture, field), truth, rtol=1e-8)
    errors, truth = fit.standard_errors(), known["standard_errors"]
    np.testing.assert_allclose(errors.weights, [float(truth["weight"])] * 2, rtol=1e-6)
    for field, short in (("means", "mean"), ("standard_deviations", "sd")):
        pair = [float(truth[f"{short}_{k}"]) for k in (1, 2)]
        np.testing.assert_allclose(getattr(errors, field), pair, rtol=1e-6)
    one = known["one_gaussian"]
    np.testing.assert_allclose(fit.one_component.log_likelihood, one["log_likelihood"], rtol=1e-10)
    np.testing.assert_allclose(fit.one_component.mean, one["mean"], rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(fit.one_component.variance), one["sd"], rtol=1e-8)
