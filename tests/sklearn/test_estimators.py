import pickle
import sys
import warnings

import joblib
import numpy as np
import pandas
import pytest
import sklearn.mixture
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import mog_jax
from mog_jax.sklearn import GaussianMixture, MixtureTransformer
from mog_jax.sklearn.reading import read_matrix

X = mog_jax.datasets.faithful()[:, None]
TYPES = ["full", "tied", "diag", "spherical"]


class OfFirstColumn(GaussianMixture):
    """Most checks use several columns and `n_components` 1; all others must pass."""

    def _column(self, X, *, reset=False):
        return read_matrix(self, X, reset=reset)[:, 0]

    def _check_parameters(self):
        pass


@parametrize_with_checks([OfFirstColumn(), MixtureTransformer()])
def test_the_checks_of_scikit_learn_pass(estimator, check):
    with warnings.catch_warnings():
        # Some of their data have no regular maximum.
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


def test_as_it_is_a_mixture_of_one_column_fails_those_of_more_columns_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = check_estimator(GaussianMixture(), on_fail=None)
    failed = [outcome for outcome in outcomes if outcome["status"] == "failed"]
    assert len(failed) < len(outcomes)
    for outcome in failed:
        error, texts = outcome["exception"], ""
        while error is not None:
            texts, error = texts + str(error), error.__cause__ or error.__context__
        assert "must be one column" in texts or "`n_components` must be 2" in texts, outcome


@pytest.mark.parametrize("covariance_type", TYPES)
def test_what_it_finds_is_what_scikit_learn_finds(covariance_type):
    options = {"n_components": 2, "covariance_type": covariance_type, "random_state": 0}
    theirs = sklearn.mixture.GaussianMixture(
        **options, tol=1e-12, reg_covar=0, max_iter=2000, n_init=3
    ).fit(X)
    ours = GaussianMixture(**options, n_init=3).fit(X)
    order = np.argsort(theirs.means_[:, 0])
    np.testing.assert_allclose(ours.weights_, theirs.weights_[order], rtol=1e-4)
    for name in ("means_", "covariances_", "precisions_", "precisions_cholesky_"):
        expected = getattr(theirs, name)
        if len(expected) == 2:
            expected = expected[order]
        assert getattr(ours, name).shape == expected.shape
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X)[:, order], atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), np.argsort(order)[theirs.predict(X)])
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-4)
    for name in ("score", "bic", "aic"):
        assert getattr(ours, name)(X) == pytest.approx(getattr(theirs, name)(X), rel=1e-6)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-6)
    assert ours.converged_ is True
    assert ours.n_iter_ > 0


def test_a_weight_of_two_is_a_sample_twice():
    weights = np.arange(272) % 3
    once = GaussianMixture().fit(X, sample_weight=weights)
    repeated = GaussianMixture().fit(np.repeat(X, weights, axis=0))
    np.testing.assert_allclose(once.means_, repeated.means_, rtol=1e-9)
    assert once.lower_bound_ == pytest.approx(repeated.lower_bound_)
    both = MixtureTransformer().fit(np.hstack([X, -X]), sample_weight=weights)
    np.testing.assert_allclose(both.means_[0], once.means_[:, 0], rtol=1e-9)
    np.testing.assert_allclose(both.means_[1], -once.means_[::-1, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"one for each sample, shape \(272,\); got \(3,\)"),
        (np.r_[-1, np.ones(271)], "`sample_weight` must be non-negative; got -1.0"),
        (np.zeros(272), "must be positive for some sample; got zeros only"),
        (np.r_[np.nan, np.ones(271)], "sample_weight contains NaN"),
    ],
)
@pytest.mark.parametrize("estimator", [GaussianMixture(), MixtureTransformer()])
def test_weights_that_mean_nothing_are_refused(estimator, weights, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, sample_weight=weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 3}, "`n_components` must be 2, which is all that mog_jax fits; got 3"),
        ({"covariance_type": "free"}, "must be one of 'full', 'tied', 'diag', .*; got 'free'"),
        ({"starts": "many"}, "`starts` must be one of"),
        ({"min_points": -1}, "`min_points` must be non-negative"),
    ],
)
def test_parameters_are_checked_when_it_is_fitted(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**options).fit(X)


def test_several_columns_and_flat_arrays_are_refused():
    with pytest.raises(ValueError, match="one column, n_features = 1; got n_features = 2"):
        GaussianMixture().fit(np.hstack([X, X]))
    with pytest.raises(ValueError, match="Reshape your data"):
        GaussianMixture().fit(X[:, 0])
    with pytest.raises(ValueError, match="`monotone` must be True or False"):
        MixtureTransformer(monotone="yes").fit(X)


def test_a_missing_value_has_no_label_and_does_not_count():
    holes = X.copy()
    holes[::7] = np.nan
    mixture = GaussianMixture().fit(holes)
    known = ~np.isnan(holes[:, 0])
    assert set(mixture.predict(holes)[~known]) == {-1}
    assert np.isnan(mixture.predict_proba(holes)[~known]).all()
    assert np.isfinite(mixture.score_samples(holes)[known]).all()
    assert mixture.score(holes) == pytest.approx(mixture.score(holes[known]))
    assert mixture.bic(holes) == pytest.approx(mixture.bic(holes[known]))
    assert mixture.lower_bound_ == pytest.approx(mixture.score(holes))
    with pytest.raises(ValueError, match="infinity"):
        mixture.predict([[np.inf]])


def test_where_nothing_can_be_fitted_there_is_no_label_and_a_warning_says_why():
    constant = np.ones((272, 1))
    with pytest.warns(ConvergenceWarning, match="`X`: all points are equal; nothing was fitted"):
        mixture = GaussianMixture().fit(constant)
    assert not mixture.converged_
    assert np.isnan(mixture.means_).all()
    assert set(mixture.predict(constant)) == {-1}
    assert np.isnan(mixture.predict_proba(constant)).all()
    assert np.isnan([mixture.score(constant), mixture.bic(constant), mixture.aic(constant)]).all()
    with pytest.raises(ValueError, match="nothing was fitted"):
        mixture.sample(3)


def test_what_is_drawn_follows_the_mixture_and_the_seed():
    mixture = GaussianMixture(random_state=1).fit(X)
    points, labels = mixture.sample(20_000)
    assert points.shape == (20_000, 1)
    np.testing.assert_allclose(np.bincount(labels) / labels.size, mixture.weights_, atol=0.015)
    for k in (0, 1):
        drawn = points[labels == k, 0]
        np.testing.assert_allclose(drawn.mean(), mixture.means_[k, 0], atol=0.4)
        np.testing.assert_allclose(drawn.var(), mixture.covariances_[k, 0, 0], rtol=0.1)
    np.testing.assert_array_equal(points, mixture.sample(20_000)[0])
    with pytest.raises(ValueError, match="`n_samples` must be at least 1; got 0"):
        mixture.sample(0)


def test_it_is_cloned_searched_over_and_kept(tmp_path):
    search = GridSearchCV(GaussianMixture(), {"covariance_type": ["full", "tied"]}, cv=2)
    search.fit(X)
    assert search.best_params_["covariance_type"] in ("full", "tied")
    best = clone(search.best_estimator_).fit(X)
    joblib.dump(best, tmp_path / "mixture.joblib")
    for kept in (pickle.loads(pickle.dumps(best)), joblib.load(tmp_path / "mixture.joblib")):
        np.testing.assert_array_equal(kept.predict_proba(X), best.predict_proba(X))


@pytest.fixture(scope="module")
def frame():
    flat = np.ones(272)
    frame = pandas.DataFrame({"minutes": X[:, 0], "flat": flat, "longer": 2 * X[:, 0] + 1})
    frame.loc[3, "longer"] = np.nan
    return frame


def test_each_column_becomes_the_posterior_of_its_upper_component(frame):
    transformer = MixtureTransformer().set_output(transform="pandas")
    with pytest.warns(ConvergenceWarning, match="column flat: all points are equal"):
        posterior = transformer.fit_transform(frame)
    assert list(posterior) == list(transformer.get_feature_names_out()) == list(frame)
    assert posterior["flat"].isna().all()
    assert np.flatnonzero(posterior["longer"].isna()).tolist() == [3]
    expected = mog_jax.fit(X[:, 0]).responsibilities(X[:, 0])[:, 1]
    np.testing.assert_allclose(posterior["minutes"], expected, atol=1e-9)
    assert transformer.converged_.tolist() == [True, False, True]
    assert transformer.thresholds_[0] == pytest.approx(mog_jax.fit(X[:, 0]).threshold().value)
    assert transformer.weights_.shape == transformer.means_.shape == (3, 2)


def test_a_monotone_posterior_never_falls():
    rng = np.random.default_rng(0)
    wide = np.append(rng.normal(0, 3, 136), rng.normal(4, 0.5, 136))[:, None]
    ascending = np.linspace(-30, 30, 272)[:, None]
    for monotone in (False, True):
        posterior = MixtureTransformer(monotone=monotone).fit(wide).transform(ascending)
        assert (np.diff(posterior[:, 0]) >= 0).all() == monotone


def test_it_takes_its_place_among_the_columns_of_a_pipeline(frame):
    columns = ColumnTransformer(
        [("posterior", MixtureTransformer(), ["minutes"])], remainder="drop"
    )
    model = make_pipeline(columns, LogisticRegression())
    is_long = X[:, 0] > 70
    model.fit(frame, is_long)
    assert model.score(frame, is_long) > 0.9
    assert model[:-1].get_feature_names_out().tolist() == ["posterior__minutes"]


def test_single_precision_stays(frame):
    low = X.astype(np.float32)
    assert MixtureTransformer().fit_transform(low).dtype == np.float32
    assert GaussianMixture().fit(low).means_.dtype == np.float32


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "mog_jax.sklearn")
    with pytest.raises(ImportError, match=r"pip install 'mog_jax\[sklearn\]'"):
        import mog_jax.sklearn  # noqa: F401
