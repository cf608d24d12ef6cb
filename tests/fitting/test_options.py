"""Options: all functions that take them check them in the same way, in one sentence."""

import argparse

import jax
import numpy as np
import pyarrow
import pytest

import mog_jax
from mog_jax import Mixture
from mog_jax.cli import command_line, fit_arguments
from mog_jax.fitting.multistart.starts import PLANS
from mog_jax.fitting.options import (
    DEFAULTS,
    FIT_OPTIONS,
    OPTIONS,
    STARTS,
    checked_options,
    keywords_of,
)
from mog_jax.tables import fit_batches, fit_table

X = np.random.default_rng(3).normal(size=40)
START = Mixture(
    weights=np.array([0.5, 0.5]), means=np.array([-1.0, 1.0]), variances=np.array([1.0, 1.0])
)
TABLE = pyarrow.table({"x": X})

ENTRIES = {
    "fit": lambda **options: mog_jax.fit(X, **options),
    "local_maximum": lambda **options: mog_jax.local_maximum(X, START, **options),
    "ascent_path": lambda **options: mog_jax.ascent_path(X, START, **options),
    "profile_interval": lambda **options: mog_jax.profile_interval(X, "means", 0, **options),
    "compare": lambda **options: mog_jax.compare(X, **options),
    "bootstrap_test": lambda **options: mog_jax.bootstrap_test(X, key=jax.random.key(0), **options),
    "fit_table": lambda **options: fit_table(TABLE, **options),
    "fit_batches": lambda **options: list(
        fit_batches(TABLE.to_batches(), by=[], value="x", **options)
    ),
}
ALL = {*ENTRIES}
NOT_A_CLIMB = ALL - {"local_maximum", "ascent_path"}
WRONG = [
    ("tolerance", value, rf"`tolerance` must be positive; got {shown}", ALL)
    for value, shown in [
        (np.nan, "nan"),
        (-1, "-1"),
        (0, "0"),
        (np.inf, "inf"),
        ("1e-3", "'1e-3'"),
        (None, "None"),
        (True, "True"),
        (1j, "1j"),
        ([1e-3], r"\[0.001\]"),
    ]
]
WRONG += [
    ("max_steps", value, rf"`max_steps` must be {wanted}", ALL)
    for value, wanted in [
        (2.7, "a whole number; got 2.7"),
        (True, "a whole number; got True"),
        ("9", "a whole number; got '9'"),
        (np.nan, "a whole number; got nan"),
        (0, "at least 1; got 0"),
        (-3, "at least 1; got -3"),
        (2**40, "at most 2147483647; got 1099511627776"),
    ]
]
WRONG += [
    ("variance_floor", value, rf"`variance_floor` must be {wanted}", ALL)
    for value, wanted in [
        (0.5, "at most 0.1; got 0.5"),
        (1e-40, "at least 1e-12; got 1e-40"),
        (0, "positive; got 0"),
        (np.nan, "positive; got nan"),
        (False, "positive; got False"),
        ("small", "positive; got 'small'"),
    ]
]
WRONG += [
    (
        "equal_variances",
        value,
        "`equal_variances` must be True or False",
        ALL - {"compare", "profile_interval", "ascent_path"},
    )
    for value in ("no", 1, 0.0, None, np.array([True, False]))
]
WRONG += [
    ("min_points", value, "`min_points` must be non-negative", NOT_A_CLIMB)
    for value in (-1, np.nan, np.inf, "5", None, True)
]
WRONG += [
    ("starts", value, "`starts` must be one of 'thorough', 'quick'", NOT_A_CLIMB)
    for value in ("many", None, 3, ["quick"])
]
WRONG += [
    ("direction", value, "`direction` must be one of 'newton'", ALL - {"local_maximum"})
    for value in ("Newton's", None, 3, ["em"])
]
WRONG += [
    ("n_components", 2, "`{entry}` has no option `n_components`: two components are fitted", ALL),
    ("random_state", 0, "`{entry}` has no option `random_state`: nothing is random", ALL),
    ("tol", 0.1, "`{entry}` has no option `tol`: say tolerance=", ALL),
    ("max_step", 9, "`{entry}` has no option `max_step`: did you mean `max_steps`\\?$", ALL),
    ("toleranse", 9, "`{entry}` has no option `toleranse`: did you mean `tolerance`\\?$", ALL),
    ("entirely_else", 9, "`{entry}` has no option `entirely_else`: it has .*tolerance", ALL),
]


@pytest.mark.parametrize(
    ("entry", "name", "value", "message"),
    [
        pytest.param(entry, name, value, message, id=f"{entry}-{name}-{value}")
        for name, value, message, entries in WRONG
        for entry in sorted(entries)
    ],
)
def test_a_wrong_value_is_refused_in_the_same_words_everywhere(entry, name, value, message):
    with pytest.raises(ValueError, match=message.replace("{entry}", entry)):
        ENTRIES[entry](**{name: value})


def test_the_options_of_a_fit_are_the_keywords_of_fit_and_of_the_command():
    assert sorted(FIT_OPTIONS) == sorted(keywords_of(mog_jax.fit))
    arguments = command_line._parser().parse_args(["fit", "x.csv"])
    assert {*OPTIONS} <= {*vars(arguments)}
    settings = fit_arguments.settings(argparse.Namespace(**dict.fromkeys(vars(arguments), 1)))
    assert {*OPTIONS} <= {*settings}


def test_an_unknown_option_is_a_type_error_as_python_says_it_too():
    with pytest.raises(TypeError, match="no option `n_init`: say starts="):
        mog_jax.fit(X, n_init=10)


@pytest.mark.parametrize("value", [1e-6, np.float32(1e-6), np.float64(1e-6)])
def test_numbers_of_any_kind_are_numbers(value):
    assert checked_options(tolerance=value).tolerance == pytest.approx(1e-6)
    assert checked_options(max_steps=np.int8(5)).max_steps == 5


def test_a_switch_that_is_no_switch_is_refused():
    with pytest.raises(ValueError, match="`progress` must be True or False; got 'yes'"):
        mog_jax.fit(X, progress="yes")
    with pytest.raises(ValueError, match=r"`replicates` must be a whole number; got 9\.5"):
        mog_jax.bootstrap_test(X, key=jax.random.key(0), replicates=9.5)
    with pytest.raises(ValueError, match="`stop_after` must be a whole number; got True"):
        mog_jax.bootstrap_test(X, key=jax.random.key(0), stop_after=True)


def test_defaults_are_valid_and_stand_in_one_place():
    checked = checked_options()
    for name, value in OPTIONS.items():
        assert value == getattr(DEFAULTS, name)
        if name not in ("direction", "max_steps"):
            assert getattr(checked, name) == value
    assert tuple(PLANS) == STARTS
    assert checked_options(direction="em").max_steps > checked.max_steps
