"""JAX compiles for the first dataset only."""

import jax
import numpy as np
import pytest

import mog_jax

_compiled: list[str] = []


def _listen(event, seconds, **about):
    if event.endswith("backend_compile_duration"):
        _compiled.append(event)


jax.monitoring.register_event_duration_secs_listener(_listen)


def compilations(function, *arguments):
    """Count the programs that JAX compiles, or loads from its own cache, in a call."""
    before = len(_compiled)
    function(*arguments)
    return len(_compiled) - before


def dataset(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n) + 4 * (rng.random(n) < 0.4)


def ask(x):
    """Fit a dataset, and call all methods of the fit."""
    fit = mog_jax.fit(x)
    for question in (fit.predict, fit.responsibilities, fit.log_density, fit.cdf, fit.icl):
        question(x)
    fit.kolmogorov_distance(x)
    fit.standard_errors()
    fit.standard_errors(x, kind="sandwich")
    fit.confidence_intervals()
    fit.threshold()
    fit.threshold(false_positive_rate=0.05)
    fit.modes()
    fit.ashman_d()
    fit.quantile([0.1, 0.5])
    fit.aic()
    fit.delta_bic()
    repr(fit)
    return fit


def test_a_loop_over_groups_compiles_in_its_first_turn_only():
    ask(dataset(50))
    for n in (37, 272, 500, 1030, 3000):
        assert compilations(ask, dataset(n)) == 0, n


def test_nor_do_batches_compile_or_other_options():
    ask(dataset(50))
    ragged = [dataset(n, n) for n in (30, 90, 270, 810)]
    batch = np.stack([dataset(64, i) for i in range(70)])
    for data in (ragged, batch, batch[:9]):
        assert compilations(ask, data) == 0
    options = {"tolerance": 1e-7, "variance_floor": 1e-5, "min_points": 3, "max_steps": 90}
    assert compilations(lambda: mog_jax.fit(batch[:3], **options)) == 0


@pytest.mark.parametrize("parameter", ["means", "standard_deviations"])
def test_a_profile_has_one_program_for_all(parameter):
    mog_jax.profile_interval(dataset(60), parameter, 0)
    assert compilations(mog_jax.profile_interval, dataset(300), parameter, 1) == 0


def test_a_climb_has_one_program_for_lengths_of_a_class():
    def climb(n):
        x = dataset(n)
        mog_jax.local_maximum(x, mog_jax.fit(x).mixture)
        mog_jax.local_maximum(x, mog_jax.fit(x).mixture, counts=np.ones(n))

    climb(128)
    for n in (65, 80, 101, 127):
        assert compilations(climb, n) == 0, n


def test_replicates_of_lengths_of_a_class_are_drawn_by_one_program():
    def test(n):
        mog_jax.bootstrap_test(dataset(n), key=0, replicates=9)

    test(50)
    for n in (20, 33, 64):
        assert compilations(test, n) == 0, n
