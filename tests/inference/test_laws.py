"""Laws of all results of a fit: units, order, counts, batches; and a reason with every NaN."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, Ragged, Status
from mog_jax.inference import Crossing, Reason

N = 60
# Each example is three datasets, and fits them several times.
few = settings(max_examples=settings.default.max_examples // 6)
PARAMETERS = ("weights", "means", "variances", "standard_deviations")


@st.composite
def batches(draw):
    """Draw datasets with two components that can be told apart."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    upper = rng.random((3, N)) < rng.uniform(0.3, 0.7, (3, 1))
    spread = np.where(upper, rng.uniform(0.5, 2, (3, 1)), 1)
    return spread * rng.normal(size=(3, N)) + rng.uniform(4, 6, (3, 1)) * upper


def answers(fits, data, **counts):
    """All results, by their units; the two components are on the last axis."""
    errors, robust = fits.standard_errors(), fits.standard_errors(data, kind="sandwich", **counts)
    intervals = fits.confidence_intervals(level=0.9)
    threshold = fits.threshold()
    found = {f"{name} error": getattr(errors, name) for name in PARAMETERS}
    found |= {f"{name} robust error": getattr(robust, name) for name in PARAMETERS}
    for side, end in (("lower", 0), ("upper", 1)):
        found |= {f"{name} {side}": getattr(intervals, name)[..., end] for name in PARAMETERS}
    return found | {
        "threshold": threshold.value,
        "threshold error": threshold.standard_error,
        "rates": np.stack([threshold.false_positive_rate, threshold.false_negative_rate], -1),
        "quantiles": fits.quantile([0.1, 0.9]),
        "modes": fits.modes().places,
        "delta_bic": fits.delta_bic(),
        "aic - bic": fits.aic() - fits.bic(),
        "icl - bic": fits.icl(data, **counts) - fits.bic(),
        "ashman_d": fits.ashman_d(),
        "kolmogorov": fits.kolmogorov_distance(data, **counts),
    }


def moved(found, scale, shift):
    """The results for scale * x + shift, from those for x."""
    expected = {}
    for name, value in found.items():
        value = np.asarray(value)
        parameter, what = name.split(" ")[0], name.split(" ")[-1]
        location = parameter in ("threshold", "quantiles", "modes") or (
            parameter == "means" and what != "error"
        )
        if parameter == "variances":
            value = scale**2 * value
        elif location and what != "error":
            value = scale * value + shift
        elif parameter in ("means", "standard_deviations", "threshold"):
            value = abs(scale) * value
        expected[name] = value
    if scale > 0:
        return expected
    # The components are exchanged, and so are the ends of an interval of a mean.
    mirrored = {}
    for name, value in expected.items():
        source = name
        if name.startswith("means "):
            source = {"means lower": "means upper", "means upper": "means lower"}.get(name, name)
        value = expected[source]
        mirrored[name] = value[..., ::-1] if value.ndim > 1 else value
    # A single mode is in the first place.
    places = mirrored["modes"]
    mirrored["modes"] = np.where(np.isnan(places[..., :1]), places[..., ::-1], places)
    return mirrored


def assert_same(found, expected, unit=1.0, rtol=1e-4):
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=rtol, atol=rtol * unit, err_msg=name)


@few
@given(
    batches(),
    st.sampled_from([1.0, -1.0]),
    st.floats(-3, 3).map(lambda e: 10.0**e),
    st.floats(-100, 100),
)
def test_units_and_orientation(data, sign, size, shift):
    scale = sign * size
    other = scale * data + shift * size
    found = answers(mog_jax.fit(other), other)
    expected = moved(answers(mog_jax.fit(data), data), scale, shift * size)
    assert_same(found, expected, unit=max(size, size**2) if size > 1 else size**2)


@few
@given(batches(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_points_and_what_is_missing_do_not_matter(data, seed):
    rng = np.random.default_rng(seed)
    other = rng.permuted(np.concatenate([data, np.full((3, 4), np.nan)], axis=1), axis=1)
    assert_same(answers(mog_jax.fit(other), other), answers(mog_jax.fit(data), data), rtol=1e-6)


@few
@given(batches(), st.integers(0, 2**32 - 1))
def test_counts_are_repetitions(data, seed):
    counts = np.random.default_rng(seed).integers(0, 3, data.shape)
    rows = [np.repeat(row, times) for row, times in zip(data, counts, strict=True)]
    found = answers(mog_jax.fit(data, counts=counts), data, counts=counts)
    assert_same(found, answers(mog_jax.fit(rows), rows), rtol=1e-6)


@few
@given(batches())
def test_a_batch_is_its_datasets(data):
    together = answers(mog_jax.fit(data), data)
    ragged = Ragged(data.ravel(), [N] * 3)
    assert_same(answers(mog_jax.fit(ragged), ragged), together, rtol=1e-9)
    for i, row in enumerate(data):
        alone = answers(mog_jax.fit(row), row)
        assert_same(alone, {name: np.asarray(value)[i] for name, value in together.items()})


@st.composite
def hostile(draw):
    """Draw datasets as in real tables: few points, ties, outliers, infinities, one component."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = draw(
        st.sampled_from(
            [
                rng.normal(size=N),
                np.round(rng.normal(size=N)),
                np.append(np.zeros(30), rng.normal(5, 1, N - 30)),
                np.append(rng.normal(size=N - 1), 10.0 ** rng.uniform(1, 6)),
                np.repeat(rng.normal(), N),
                np.repeat([0.0, 1.0], N // 2),
                np.append(rng.normal(size=N - 1), np.inf),
                rng.standard_cauchy(N),
                np.linspace(0, 1, N),
            ]
        )
    )
    points = np.where(
        np.arange(N) < draw(st.sampled_from([0, 1, 2, 3, 5, 9, N, N])), points, np.nan
    )
    return points * 10.0 ** draw(st.sampled_from([-100, 0, 0, 100]))


HELD = Mixture(
    weights=np.full(2, np.nan), means=np.array([0.0, np.nan]), variances=np.full(2, np.nan)
)
OPTIONS = [
    {},
    {"max_steps": 1, "tolerance": 1e-12},
    {"equal_variances": True},
    {"fixed": HELD},
    # Nothing can tell two components with the same mean and variance apart.
    {"equal_variances": True, "fixed": Mixture(**{**vars(HELD), "means": np.zeros(2)})},
]


@few
@given(st.lists(hostile(), min_size=3, max_size=3).map(np.stack), st.sampled_from(OPTIONS))
def test_a_number_has_a_meaning_and_a_nan_its_reason(data, options):
    fits = mog_jax.fit(data, **options)
    reason, status = np.asarray(fits.reason), np.asarray(fits.status)
    fitted = reason != Reason.NOTHING_FITTED
    at_maximum = np.isin(reason, [Reason.KNOWN, Reason.SINGULAR])
    np.testing.assert_array_equal(fits.converged, reason == Reason.KNOWN)
    assert np.isin(status[~fitted], [*range(Status.TOO_FEW_POINTS, len(Status))]).all()

    for errors in (fits.standard_errors(), fits.standard_errors(data, kind="sandwich")):
        for name in PARAMETERS:
            here = np.isfinite(getattr(errors, name)).all(axis=-1)
            np.testing.assert_array_equal(here, errors.reason == Reason.KNOWN, err_msg=name)
            assert not np.any(np.asarray(getattr(errors, name)) < 0)
        # The information may be singular at a maximum; nothing else takes back what is known.
        changed = errors.reason != reason
        assert (errors.reason[changed] == Reason.SINGULAR).all()
        assert (reason[changed] == Reason.KNOWN).all()
    intervals = fits.confidence_intervals()
    for name in PARAMETERS:
        ends = np.asarray(getattr(intervals, name))
        np.testing.assert_array_equal(
            ~np.isnan(ends).any(axis=(-2, -1)), intervals.reason == Reason.KNOWN
        )
        assert not np.any(ends[..., 0] > ends[..., 1])

    for criterion in (fits.aic(), fits.bic(), fits.delta_bic(), fits.icl(data)):
        np.testing.assert_array_equal(np.isfinite(criterion), at_maximum)
    for threshold in (
        fits.threshold(),
        fits.threshold(posterior=0.9, monotone=True),
        fits.threshold(false_positive_rate=0.01),
    ):
        crossing, value = np.asarray(threshold.crossing), np.asarray(threshold.value)
        np.testing.assert_array_equal(crossing == Crossing.NOTHING_FITTED, ~fitted)
        between = crossing == Crossing.BETWEEN_MEANS
        assert np.isfinite(value[between]).all()
        known = np.isfinite(threshold.standard_error)
        assert not known[threshold.reason != Reason.KNOWN].any()
        assert not known[np.isnan(value)].any()
        assert np.isnan(np.asarray(threshold.false_negative_rate)[np.isnan(value)]).all()
    for of_density in (
        fits.ashman_d(),
        fits.quantile(0.5),
        fits.kolmogorov_distance(data),
        fits.sample(jax.random.key(0), 2)[:, 0],
        fits.modes().places[:, 0],
    ):
        np.testing.assert_array_equal(np.isfinite(of_density), fitted)
    np.testing.assert_array_equal(fits.n_modes() > 0, fitted)
    readable = fitted[:, None] & np.isfinite(data)
    np.testing.assert_array_equal(fits.predict(data) >= 0, readable)
    np.testing.assert_array_equal(np.isfinite(fits.cdf(data)), readable)
    np.testing.assert_array_equal(np.isfinite(fits.responsibilities(data)).all(-1), readable)


@few
@given(st.lists(hostile(), min_size=2, max_size=2).map(np.stack))
def test_no_test_or_comparison_without_its_fits(data):
    fits, compared = mog_jax.fit(data), mog_jax.compare(data)
    np.testing.assert_array_equal(np.isnan(compared.bic[..., 2]), np.isnan(fits.bic()))
    nothing = fits.reason == Reason.NOTHING_FITTED
    np.testing.assert_array_equal(compared.best == mog_jax.Model.NONE, nothing)
    two = np.isfinite(compared.bic[..., 1:]).any(axis=-1)
    np.testing.assert_array_equal(np.isfinite(compared.delta_bic()), two)
