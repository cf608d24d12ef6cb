"""Docstrings of public functions have the sections of numpydoc, and say how accurate they are."""

import inspect
import re

import pytest

import mog_jax
from mog_jax import dask, inference, kernel, ray, spark, statistics, tables
from tests.pages import ROOT

# Packages and modules whose functions compute.
NUMERICAL = ("likelihood", "kernel", "gradients", "statistics", "inference")
NUMERICAL += ("selection", "bootstrap", "profile")

PUBLIC = {
    f"{function.__module__}.{name}": function
    for module, names in (
        (mog_jax, mog_jax.__all__),
        (inference, inference.__all__),
        (statistics, statistics.__all__),
        (kernel, ("lane_sums", "totals")),
        (tables, tables.__all__),
        *((engine, ("fit_groups",)) for engine in (dask, ray, spark)),
        (mog_jax.Mixture, ("affine", "from_arrays", "sample")),
    )
    for name in names
    if callable(function := getattr(module, name)) and not inspect.isclass(function)
}
COMPUTING = {name: function for name, function in PUBLIC.items() if name.split(".")[1] in NUMERICAL}
# These take a mixture, or numbers that need no check, and raise nothing.
REFUSE_NOTHING = {"ashman_d", "bimodality_index", "lane_sums", "modes", "n_parameters"}
REFUSE_NOTHING |= {"affine", "totals"}


def sections(function):
    """Sections of a docstring by name."""
    text = inspect.getdoc(function)
    return dict(re.findall(r"^(\w+)\n-{3,}\n(.*?)(?=^\w+\n-{3,}\n|\Z)", text, re.M | re.S))


@pytest.mark.parametrize("function", PUBLIC.values(), ids=PUBLIC)
def test_parameters_returns_and_errors_are_described(function):
    found = sections(function)
    assert {"Parameters", "Returns"} <= found.keys()
    assert ("Raises" in found) == (function.__name__ not in REFUSE_NOTHING)


@pytest.mark.parametrize("function", COMPUTING.values(), ids=COMPUTING)
def test_numerical_functions_say_how_accurate_they_are_and_which_test_measures_it(function):
    accuracy = sections(function).get("Accuracy", "")
    named = re.findall(r"``(tests/[\w/]+\.py)``", accuracy)
    assert named, "its section Accuracy names no test"
    # The name that the test must call: the function, or the one that the section names instead.
    called = {function.__name__, *re.findall(r"(?<!`)`(?:\w+\.)?(\w+)`", accuracy)}
    for path in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert any(re.search(rf"\b{name}\b", text) for name in called), path


@pytest.mark.parametrize("function", PUBLIC.values(), ids=PUBLIC)
def test_sections_are_in_the_order_of_numpydoc(function):
    order = ["Parameters", "Returns", "Raises", "Warns", "Accuracy", "Notes", "References"]
    order += ["Examples"]
    found = list(sections(function))
    assert found == sorted(found, key=order.index)


def described(function):
    """Names in the section Parameters, in order."""
    heads = re.findall(r"^(\**\w+(?:, \**\w+)*)(?: :.*)?$", sections(function)["Parameters"], re.M)
    return [name.lstrip("*") for head in heads for name in head.split(", ")]


@pytest.mark.parametrize("function", PUBLIC.values(), ids=PUBLIC)
def test_every_parameter_is_described_and_no_other(function):
    parameters = [name for name in inspect.signature(function).parameters if name != "unknown"]
    assert sorted(described(function)) == sorted(set(parameters) - {"self", "cls"})
