"""All public functions read data in one way: masked values are missing; other types are refused."""

import datetime
import decimal
import fractions
import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse
from hypothesis import given, settings

import mog_jax
from mog_jax import Mixture, Ragged, inference, plots, statistics
from mog_jax.array_like import real_array, seen_points

RNG = np.random.default_rng(5)
N, MISSING = 60, 4
# Eighths, which half a float holds as well.
GOOD = np.rint(8 * np.concatenate([RNG.normal(0, 1, 25), RNG.normal(9, 2, 35)])) / 8
MIXTURE = Mixture.from_arrays(weights=[0.4, 0.6], means=[0.0, 9.0], variances=[1.0, 4.0])
COVARIANCE = np.eye(5)


@functools.cache
def fitted():
    return mog_jax.fit(GOOD)


def drawn(draw):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    axes = draw()
    pyplot.close("all")
    return axes


def plotted_points(axes):
    return np.ravel(axes)[0].patches[0].get_height()


# A number for each point, ...
OF_EACH_POINT = {
    "component_log_density": lambda x: mog_jax.component_log_density(MIXTURE, x),
    "log_density": lambda x: mog_jax.log_density(MIXTURE, x),
    "responsibilities": lambda x: mog_jax.responsibilities(MIXTURE, x),
    "point_gradients": lambda x: mog_jax.point_gradients(MIXTURE, x).means,
    "inference.log_density": lambda x: inference.log_density(MIXTURE, x),
    "inference.responsibilities": lambda x: inference.responsibilities(MIXTURE, x),
    "inference.monotone": lambda x: inference.monotone_responsibilities(MIXTURE, x),
    "inference.cdf": lambda x: inference.cdf(MIXTURE, x),
    "Fit.log_density": lambda x: fitted().log_density(x),
    "Fit.cdf": lambda x: fitted().cdf(x),
    "Fit.responsibilities": lambda x: fitted().responsibilities(x),
    "Fit.responsibilities, monotone": lambda x: fitted().responsibilities(x, monotone=True),
    "Fit.predict": lambda x: np.where((label := fitted().predict(x)) < 0, np.nan, label),
}
# ... a sum over the points, in which a NaN that nobody masked shows, ...
SUMS = {
    **{
        name: lambda x, counts=None, name=name: getattr(mog_jax, name)(MIXTURE, x, counts)
        for name in (
            "log_likelihood",
            "mean_gradient",
            "variance_gradient",
            "weight_gradient",
            "lagrangian_weight_condition",
            "projected_weight_gradient",
            "logit_gradient",
            "log_variance_gradient",
            "observed_information",
        )
    },
    "gradient": lambda x, counts=None: mog_jax.gradient(MIXTURE, x, counts).means,
    "statistics.sums": lambda x, counts=None: statistics.sums(MIXTURE, x, counts).second,
    "statistics.log_likelihood": lambda x, counts=None: statistics.log_likelihood(
        MIXTURE, x, counts
    ),
    "inference.kolmogorov_distance": lambda x, counts=None: inference.kolmogorov_distance(
        MIXTURE, x, counts
    ),
    "inference.icl": lambda x, counts=None: inference.icl(0.0, MIXTURE, x, counts),
    "inference.sandwich": lambda x, counts=None: inference.sandwich(COVARIANCE, MIXTURE, x, counts),
}
# ... and what is said of a dataset, whose NaNs are missing.
OF_A_DATASET = {
    "fit": lambda x, counts=None: mog_jax.fit(x, counts=counts).mixture.means,
    "compare": lambda x, counts=None: mog_jax.compare(x, counts=counts).bic,
    "bootstrap_test": lambda x, counts=None: (
        mog_jax.bootstrap_test(x, key=jax.random.key(0), replicates=2, counts=counts).statistic
    ),
    "profile_interval": lambda x, counts=None: (
        mog_jax.profile_interval(x, "means", 1, counts=counts).lower
    ),
    "ascent_path": lambda x, counts=None: mog_jax.ascent_path(
        x, MIXTURE, counts=counts
    ).mixture.means[-1],
    "local_maximum": lambda x, counts=None: mog_jax.local_maximum(x, MIXTURE, counts=counts).means,
    "Fit.icl": lambda x, counts=None: fitted().icl(x, counts=counts),
    "Fit.kolmogorov_distance": lambda x, counts=None: fitted().kolmogorov_distance(
        x, counts=counts
    ),
    "Fit.covariance": lambda x, counts=None: fitted().covariance(x, counts=counts, kind="sandwich"),
    "plot_fit": lambda x, counts=None: drawn(
        lambda: plotted_points(plots.plot_fit(fitted(), x, counts=counts))
    ),
    "plot_likelihood": lambda x, counts=None: drawn(
        lambda: plots.plot_likelihood(fitted(), x, counts=counts, resolution=5)[0].get_xlim()
    ),
}
DOORS = {**OF_EACH_POINT, **SUMS, **OF_A_DATASET}


class Annotated:
    """The attributes by which an AnnData object is recognised."""

    X = scipy.sparse.csr_matrix(np.eye(3))
    obs = var = None

    def __len__(self):
        return 3

    def __getitem__(self, index):
        raise AssertionError("NumPy would ask for each of its parts.")


REFUSED = {
    "complex": (GOOD + 1j, "dtype complex128: give its real part"),
    "complex of JAX": (jnp.ones(N, jnp.complex64), "dtype complex64: give its real part"),
    "masked complex": (np.ma.array(GOOD + 1j, mask=GOOD > 9), "dtype complex128: give its real"),
    "texts": (GOOD.astype(str), "dtype <U.*: if these are numbers .* `(data|x).astype"),
    "list of texts": (["1.5", "2"], r"dtype <U3: if these are .* `np.asarray\((data|x), float\)`"),
    "bytes": (b"1 2 3", r"bytes: if they hold numbers, give `np.frombuffer\("),
    "a path": ("cells.csv", "'cells.csv'; `mog_jax.fit_table` reads files"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), r"dtype datetime64\[D\]: give durations in a"),
    "durations": (np.array([3], "m8[s]"), r"dtype timedelta64\[s\]: give numbers in a unit, as"),
    "objects": (GOOD.astype(object), r"dtype object; give `(data|x).astype\(float\)`"),
    "decimals": ([decimal.Decimal("1.5")], r"\[0\] = Decimal\('1.5'\); give `np.asarray"),
    "fractions": ([fractions.Fraction(1, 2)], "dtype object; give `np.asarray"),
    "None": ([1.0, None], r"\[1\] = None; a missing value is NaN"),
    "dict": ({"a": GOOD}, "dict[;:].* give its values, as a list of arrays"),
    "set": ({1.0, 2.0}, r"set; give `list\((data|x)\)`"),
    "sparse": (
        scipy.sparse.csr_matrix(np.eye(3)),
        r"csr_matrix, which is sparse: `mog_jax.sparse_datasets` .*toarray",
    ),
    "AnnData": (
        Annotated(),
        r"Annotated, which has a variable in each column, .* `mog_jax\.anndata\.fit\(adata\)` fits",
    ),
    "lazy": (polars.DataFrame({"a": GOOD}).lazy(), r"LazyFrame, .*: give `(data|x).collect\(\)`"),
    "groups": (
        pandas.DataFrame({"g": 0, "x": GOOD}).groupby("g").x,
        r"SeriesGroupBy: give `\[group.to_numpy\(\) for",
    ),
    "fields": (np.zeros(3, [("a", float)]), r"give one field, `(data|x)\['a'\]`"),
    "dates of pandas": (
        pandas.Series([datetime.datetime(2020, 1, 1)]),
        "dtype datetime64.*: give durations in a unit",
    ),
}


# These take a mapping from name to values, or for one dataset say so.
TAKE_NAMES = {"fit", "compare", "bootstrap_test", "profile_interval", "ascent_path"}


@pytest.mark.parametrize(
    ("door", "form"),
    [(d, f) for d in DOORS for f in REFUSED if f != "dict" or d not in TAKE_NAMES],
)
def test_what_is_no_array_of_real_numbers_is_refused_by_name(door, form):
    value, reason = REFUSED[form]
    with pytest.raises(ValueError, match=rf"^`(data|x)` must be .*real numbers; got .*{reason}"):
        DOORS[door](value)


@pytest.mark.parametrize("form", ["complex", "texts", "sparse"])
@pytest.mark.parametrize("door", {**SUMS, **OF_A_DATASET})
def test_counts_that_are_no_real_numbers_are_refused_by_name(door, form):
    with pytest.raises(ValueError, match=r"^`counts` must be .*real numbers; got "):
        DOORS[door](GOOD, REFUSED[form][0])


HIDDEN = [999.0, -1e308, np.inf, np.nan]
masks = st.tuples(
    st.permutations(np.arange(N) < MISSING).map(np.array), st.sampled_from(HIDDEN), st.booleans()
)


def masked(mask, hidden, is_list):
    array = np.ma.array(np.where(mask, hidden, GOOD), mask=mask)
    return list(array) if is_list else array


@settings(max_examples=8)
@pytest.mark.parametrize("door", OF_EACH_POINT)
@given(masks)
def test_of_a_masked_point_the_answer_is_nan(door, drawn):
    mask = drawn[0]
    found = np.asarray(OF_EACH_POINT[door](masked(*drawn)))
    assert np.isnan(found[mask]).all()
    np.testing.assert_array_equal(found, OF_EACH_POINT[door](np.where(mask, np.nan, GOOD)))
    np.testing.assert_allclose(found[~mask], OF_EACH_POINT[door](GOOD[~mask]), rtol=1e-12)


@settings(max_examples=8)
@pytest.mark.parametrize("door", SUMS)
@given(masks)
def test_a_masked_point_is_left_out_of_a_sum(door, drawn):
    mask = drawn[0]
    found, expected = SUMS[door](masked(*drawn)), SUMS[door](GOOD[~mask])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    counts = 1.0 + np.arange(N) % 3
    found, expected = (
        SUMS[door](masked(*drawn), np.ma.array(counts, mask=mask)),
        SUMS[door](GOOD[~mask], counts[~mask]),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.isnan(SUMS[door](np.where(mask, np.nan, GOOD))).any()


@settings(max_examples=3)
@pytest.mark.parametrize("door", OF_A_DATASET)
@given(masks)
def test_a_masked_point_is_missing_from_a_dataset(door, drawn):
    mask, ask = drawn[0], OF_A_DATASET[door]
    found, expected = ask(masked(*drawn)), ask(GOOD[~mask])
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(found, ask(np.where(mask, np.nan, GOOD)))
    counts = 1.0 + np.arange(N) % 3
    counts[-1] += counts.sum() % 1
    found = ask(masked(*drawn), np.ma.array(counts, mask=mask))
    np.testing.assert_allclose(found, ask(GOOD[~mask], counts[~mask]), rtol=1e-8, atol=1e-8)


def test_masked_rows_of_a_batch_are_read_likewise():
    rows, mask = np.stack([GOOD, GOOD[::-1]]), np.arange(2 * N).reshape(2, N) % 7 == 0
    both = np.ma.array(np.where(mask, 999.0, rows), mask=mask)
    mixtures = jax.tree.map(lambda field: np.stack([field, field]), MIXTURE)
    for ask in (
        lambda x: inference.kolmogorov_distance(mixtures, x),
        lambda x: inference.icl(np.zeros(2), mixtures, x),
        lambda x: statistics.sums(mixtures, x).log_likelihood,
    ):
        alone = [
            np.ravel(ask(np.stack([row, row])))[0] for row in (rows[0][~mask[0]], rows[1][~mask[1]])
        ]
        np.testing.assert_allclose(ask(both), alone, rtol=1e-12)
        np.testing.assert_allclose(ask(list(both)), alone, rtol=1e-12)
    fits = mog_jax.fit(rows)
    alike = np.where(mask, np.nan, rows)
    for form in (both, list(both)):
        np.testing.assert_array_equal(mog_jax.fit(form).n_missing, mask.sum(axis=1))
        np.testing.assert_array_equal(
            fits.kolmogorov_distance(form), fits.icl(form) * 0 + (fits.kolmogorov_distance(alike))
        )


@pytest.mark.parametrize("door", SUMS)
def test_masks_are_heeded_inside_jax_as_well(door):
    x = np.ma.array(np.where(GOOD > 9, 999.0, GOOD), mask=GOOD > 9)
    counts = jnp.ones(N)
    alone = SUMS[door](x)
    if door != "inference.kolmogorov_distance":
        traced = jax.jit(lambda counts: SUMS[door](x, counts))(counts)
        np.testing.assert_allclose(traced, alone, rtol=2e-5, atol=1e-4)


def test_traced_points_pass_untouched():
    nan = np.append(GOOD, np.nan)
    assert np.isnan(jax.jit(lambda x: mog_jax.log_likelihood(MIXTURE, x))(nan))
    slope = jax.grad(lambda x: mog_jax.log_density(MIXTURE, [x, 2 * x]).sum())(1.0)
    expected = jax.grad(lambda x: mog_jax.log_density(MIXTURE, jnp.stack([x, 2 * x])).sum())(1.0)
    assert slope == expected
    with pytest.raises(ValueError, match="`x` must be real numbers; got dtype complex64"):
        jax.jit(lambda x: mog_jax.log_density(MIXTURE, x))(jnp.ones(3, jnp.complex64))


@pytest.fixture(scope="module")
def from_disk(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "points"
    GOOD.tofile(path)
    return np.memmap(path, np.float64, "r")


class Wrapped:
    """The attributes of an xarray.DataArray, or of any other array, that NumPy uses."""

    def __array__(self, dtype=None, copy=None):
        return GOOD


FORMS = {
    "list": GOOD.tolist(),
    "tuple": tuple(GOOD),
    "list of JAX": [jnp.float32(value) for value in GOOD],
    "half": GOOD.astype(np.float16),
    "single": GOOD.astype(np.float32),
    "long": GOOD.astype(np.longdouble),
    "bfloat16": np.rint(GOOD).astype(ml_dtypes.bfloat16),
    "bfloat16 of JAX": jnp.asarray(np.rint(GOOD), jnp.bfloat16),
    "JAX": jnp.asarray(GOOD, np.float32),
    "bytes the other way round": GOOD.astype(">f8"),
    "whole": np.rint(GOOD).astype(np.int16),
    "truth values": GOOD > 5,
    "every other one": np.repeat(GOOD, 2)[::2],
    "column of a Fortran matrix": np.asfortranarray(np.stack([GOOD, GOOD]))[0],
    "masked, without a mask": np.ma.array(GOOD),
    "another array": Wrapped(),
    "Series": pandas.Series(GOOD, index=np.arange(N)[::-1]),
    "nullable Series": pandas.Series(GOOD, dtype="Float64"),
    "Arrow in pandas": pandas.Series(GOOD, dtype="double[pyarrow]"),
    "polars": polars.Series(GOOD),
    "Arrow": pyarrow.array(GOOD),
    "Arrow, chunked": pyarrow.chunked_array([GOOD[:20], GOOD[20:]]),
}


@pytest.mark.parametrize("form", [*FORMS, "memmap"])
def test_every_form_of_the_same_numbers_has_the_same_answers(form, from_disk):
    value = from_disk if form == "memmap" else FORMS[form]
    plain = np.asarray(real_array(value, "x")).astype(np.float64)
    assert np.abs(plain - GOOD).max() <= 0.5 or form == "truth values"
    for name in ("log_density", "statistics.sums", "Fit.cdf", "Fit.kolmogorov_distance"):
        np.testing.assert_allclose(
            DOORS[name](value), DOORS[name](plain), rtol=1e-5, atol=1e-6, err_msg=name
        )
    found = mog_jax.fit(value, dtype="float64")
    np.testing.assert_allclose(found.mixture.means, mog_jax.fit(plain).mixture.means, rtol=1e-9)


NULLS = {
    "Int64": pandas.Series([1, None, 3], dtype="Int64"),
    "boolean": pandas.Series([True, None, False], dtype="boolean"),
    "int64[pyarrow]": pandas.Series([1, None, 3], dtype="int64[pyarrow]"),
    "array of pandas": pandas.array([1, None, 3]),
    "polars": polars.Series([1, None, 3]),
    "Arrow": pyarrow.array([1, None, 3]),
    "masked element": [1.0, np.ma.masked, 3.0],
}


@pytest.mark.parametrize("form", NULLS)
def test_a_null_is_missing(form):
    found = real_array(NULLS[form], "x")
    np.testing.assert_array_equal(np.isnan(found), [False, True, False])
    assert found[0] == 1


FRAMES = {
    "pandas": pandas.DataFrame({"a": pandas.array([1, None]), "b": [1.0, 2.0]}),
    "polars": polars.DataFrame({"a": [1, None], "b": [1.0, 2.0]}),
    "Arrow": pyarrow.table({"a": [1, None], "b": [1.0, 2.0]}),
}


@pytest.mark.parametrize("form", FRAMES)
def test_a_frame_is_the_matrix_of_its_rows(form):
    found = real_array(FRAMES[form], "x")
    np.testing.assert_array_equal(found, [[1.0, 1.0], [np.nan, 2.0]])


def test_what_is_fixed_or_a_parameter_is_read_likewise():
    free = np.ma.array([123.0], mask=[True])
    batch = GOOD[None]
    held = mog_jax.fit(batch, fixed={"mean_1": free})
    np.testing.assert_array_equal(held.mixture.means, mog_jax.fit(batch).mixture.means)
    with pytest.raises(ValueError, match=r"`means` must be finite; got means\[0\] = nan"):
        Mixture.from_arrays(
            weights=[0.5, 0.5], means=np.ma.array([9.0, 1.0], mask=[1, 0]), variances=[1, 1]
        )
    for ask in (fitted().quantile, lambda p: inference.quantile(MIXTURE, p)):
        with pytest.raises(ValueError, match=r"`probabilities` must lie .*\[1\] = nan"):
            ask(np.ma.array([0.5, 0.7], mask=[0, 1]))
        with pytest.raises(ValueError, match="`probabilities` must be real numbers; got dtype"):
            ask(["0.5"])


def test_a_masked_count_of_a_point_that_is_there_is_refused():
    counts = np.ma.array(np.ones(N), mask=np.arange(N) == 7)
    with pytest.raises(ValueError, match=r"`counts` must be non-negative .*counts\[7\] = nan"):
        mog_jax.fit(GOOD, counts=counts)
    assert np.isnan(mog_jax.log_likelihood(MIXTURE, GOOD, counts))


def test_a_sum_of_nothing_but_masked_points_is_nothing():
    x = np.ma.array(GOOD, mask=True)
    assert mog_jax.log_likelihood(MIXTURE, x) == 0
    points, counts = seen_points(x, None)
    assert np.isfinite(points).all()
    assert not counts.any()


@pytest.mark.parametrize("form", ["sparse", "AnnData", "lazy"])
def test_among_datasets_what_is_none_is_refused_by_its_place(form):
    value, reason = REFUSED[form]
    with pytest.raises(ValueError, match=rf"`data\[1\]` must be .*{reason.split(':')[0]}"):
        mog_jax.fit([GOOD, value])


def test_rows_of_different_lengths_are_no_array():
    with pytest.raises(ValueError, match=r"`x` must be an array of .*; its rows have different le"):
        mog_jax.log_density(MIXTURE, [[1.0], [1.0, 2.0]])


def test_what_cannot_be_made_an_array_says_why():
    class Elsewhere:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("it is on another device: call .cpu() first.")

    with pytest.raises(ValueError, match=r"`data` must be .*; it is on another .* first\.$"):
        mog_jax.fit(Elsewhere())


def test_ragged_values_are_read_likewise():
    values = np.ma.array([*GOOD, 999.0], mask=[False] * N + [True])
    fits = mog_jax.fit(Ragged(values, [N, 1]))
    np.testing.assert_array_equal(fits.mixture.means[0], fitted().mixture.means)
    assert fits.n_missing[1] == 1
