"""Arguments that are not arrays, and the forms in which functions return values."""

import dataclasses
import functools
from collections.abc import Callable

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mog_jax.crosscheck import crosscheck, crosscheck_rule

X = np.array([0.5, 2.0])


def squares(x):
    return jnp.sum(x**2)


def kinds(report):
    return [finding.kind for finding in report.findings]


# Random keys.


def masked(x, key):
    return jnp.sum(jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x**2, x))


def of_masked(x, key):
    return jnp.where(jax.random.bernoulli(key, 0.5, x.shape), 2 * x, 1.0)


@pytest.mark.parametrize("make", [jax.random.key, lambda i: jax.random.key(i, impl="rbg")])
def test_typed_keys_are_arguments(make):
    inputs = [(X + 0.25, make(i)) for i in range(4)]
    report = crosscheck(masked, of_masked, inputs, order=1)
    assert report.ok, str(report)
    report = crosscheck(masked, lambda x, key: 2 * x, inputs, order=1)
    assert kinds(report) == ["wrong_formula"]
    (finding,) = report.findings
    assert jnp.issubdtype(finding.args[1].dtype, jax.dtypes.prng_key)
    assert "jax.random.wrap_key_data(np.array([" in finding.reproduce


# Static arguments.


def reduced(x, how, doubled, inner=None):
    x = x if inner is None else inner(x)
    total = jnp.sum(x**2) if how == "sum" else jnp.mean(x**2)
    return 2 * total if doubled else total


def of_reduced(x, how, doubled, inner=None):
    slope = 2 * x if inner is None else jnp.sin(2 * x)
    return slope * (1 if how == "sum" else 1 / x.size) * (2 if doubled else 1)


def test_strings_and_flags_are_static_arguments():
    inputs = st.tuples(st.just(X), st.sampled_from(["sum", "mean"]), st.booleans())
    report = crosscheck(reduced, of_reduced, inputs, examples=4, order=1)
    assert report.ok, str(report)
    report = crosscheck(reduced, lambda x, how, doubled: 2 * x, inputs, examples=4, order=1)
    assert kinds(report) == ["wrong_formula"]
    assert report.findings[0].args[1:] in [("mean", False), ("sum", True)]


def test_functions_are_static_arguments():
    report = crosscheck(reduced, of_reduced, [(X, "sum", False, jnp.sin)], order=1)
    assert report.ok, str(report)
    report = crosscheck(reduced, lambda x, *rest: x, [(X, "sum", False, jnp.sin)], order=1)
    assert "args = (np.array([0.5, 2.0]), 'sum', False, sin)" in report.findings[0].reproduce


def test_what_is_static_for_a_rule_stays_so():
    rule = jax.custom_jvp(lambda x, how: getattr(jnp, how)(x), nondiff_argnums=(1,))

    @rule.defjvp
    def _(how, primals, tangents):
        slope = {"sin": jnp.cos, "cos": jnp.sin}[how]
        return rule(*primals, how), tangents[0] * slope(*primals)

    def plain(x, how):
        return getattr(jnp, how)(x)

    assert crosscheck_rule(rule, plain, [(0.3, "sin")], order=1).ok
    assert kinds(crosscheck_rule(rule, plain, [(0.3, "cos")], order=1)) == ["wrong_formula"] * 2


# Models with functions in them, as those of equinox are.


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["weights", "activation"], meta_fields=[]
)
@dataclasses.dataclass
class Model:
    weights: np.ndarray
    activation: Callable

    def __call__(self, x):
        return jnp.sum(self.activation(self.weights * x))


def apply(model, x):
    return model(x)


@pytest.mark.parametrize("instead", [None, jnp.tanh])
def test_functions_in_models_are_left_out_of_derivatives(instead):
    def by_hand(model, x):
        return Model(x * (1 - jnp.tanh(model.weights * x) ** 2), instead)

    def half(model, x):
        return Model(by_hand(model, x).weights / 2, instead)

    inputs = [(Model(X, jnp.tanh), X)]
    assert crosscheck(apply, by_hand, inputs).ok
    report = crosscheck(apply, half, inputs)
    assert kinds(report) == ["wrong_formula"]
    assert report.findings[0].entry.startswith("model.weights[")


def test_an_output_of_another_structure_is_found():
    report = crosscheck(apply, lambda model, x: model.weights, [(Model(X, jnp.tanh), X)])
    assert kinds(report) == ["wrong_shape_or_dtype"]


# Values beside gradients, and auxiliary outputs.


def test_a_value_beside_the_gradient_is_judged_as_well():
    assert crosscheck(squares, lambda x: (squares(x), 2 * x), [(X,)]).ok
    report = crosscheck(squares, lambda x: (squares(x) * 1.01, 2 * x), [(X,)])
    assert kinds(report) == ["wrong_formula"]
    assert report.findings[0].claim == "value beside the gradient"
    report = crosscheck(squares, lambda x: (squares(x), x), [(X,)])
    assert [finding.claim for finding in report.findings] == ["derivative"]


def test_a_pair_of_gradients_is_no_value_beside_one():
    def product(x, y):
        return x * y

    report = crosscheck(product, lambda x, y: (y, x), [(0.5, 2.0)], wrt=(0, 1))
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "derivative",
    [
        lambda x: (2 * x, "a note"),
        lambda x: ((squares(x), x), 2 * x),
        lambda x: 2 * x,
        jax.grad(lambda x: (squares(x), x), has_aux=True),
        jax.value_and_grad(lambda x: (squares(x), x), has_aux=True),
    ],
)
def test_auxiliary_outputs_are_left_out(derivative):
    report = crosscheck(lambda x: (squares(x), "a note"), derivative, [(X,)], has_aux=True)
    assert report.ok, str(report)


def test_auxiliary_outputs_hide_no_mistake():
    report = crosscheck(
        lambda x: (squares(x), x), lambda x: ((squares(x), x), x), [(X,)], has_aux=True
    )
    assert kinds(report) == ["wrong_formula"]
    assert "has_aux=True" in report.findings[0].reproduce


def test_a_function_without_an_auxiliary_output_is_refused():
    with pytest.raises(ValueError, match="with `has_aux` the function must give a pair"):
        crosscheck(squares, lambda x: 2 * x, [(X,)], has_aux=True)
    with pytest.raises(ValueError, match="`has_aux` must be True or False; got 1"):
        crosscheck(squares, lambda x: 2 * x, [(X,)], has_aux=1)


# Names of derivatives.


def test_derivatives_that_jax_makes_are_named_after_their_functions():
    for derivative, name in [
        (jax.grad(squares), "jax.grad(squares)"),
        (jax.value_and_grad(squares), "jax.value_and_grad(squares)"),
        (jax.grad(lambda x: squares(x)), "jax.grad(function)"),
        (jax.jit(jax.grad(squares)), "squares"),
    ]:
        report = crosscheck(squares, derivative, [(X,)], order=1)
        assert report.ok, str(report)
        assert report.name == f"squares, derivative {name}"


# Third order.


@jax.custom_jvp
def spoilt_in_third(x):
    return 2 * x


@spoilt_in_third.defjvp
def _(primals, tangents):
    return spoilt_in_third(*primals), slope_spoilt_in_second(*primals) * tangents[0]


@jax.custom_jvp
def slope_spoilt_in_second(x):
    return jnp.full_like(x, 2.0)


slope_spoilt_in_second.defjvps(lambda t, y, x: t)


def test_third_order_is_judged_if_it_is_asked_for():
    spoilt = crosscheck(squares, spoilt_in_third, [(X,)], order=3)
    assert set(kinds(spoilt)) == {"wrong_third_order"}
    assert crosscheck(squares, spoilt_in_third, [(X,)]).ok
    right = crosscheck(lambda x: jnp.sum(x**4), lambda x: 4 * x**3, [(X,)], order=3)
    assert right.ok, str(right)
    assert right.claims["third order, reverse"].judged


def test_third_order_of_a_rule():
    rule = jax.custom_jvp(lambda x: x**2)
    rule.defjvps(lambda t, y, x: t * spoilt_in_third(x))
    report = crosscheck_rule(rule, lambda x: x**2, [(0.7,)], order=3)
    assert kinds(report) == ["wrong_third_order"]
    assert crosscheck_rule(rule, lambda x: x**2, [(0.7,)]).ok


# Values that a function does not have.


def on_the_sphere(x):
    return x * (1 / jnp.sqrt(jnp.sum(x * x)))


def test_zero_times_infinity_is_no_value_that_a_program_owes():
    report = crosscheck_rule(on_the_sphere, on_the_sphere, [(np.zeros(2),), (X,)], order=0)
    assert report.ok, str(report)
    assert report.kinks


def test_a_value_that_the_plain_function_has_is_owed():
    def guarded(x):
        size = jnp.sum(x * x)
        return jnp.where(size > 0, x * (1 / jnp.sqrt(size)), 0.0)

    report = crosscheck_rule(on_the_sphere, guarded, [(np.zeros(2),)], order=0)
    assert kinds(report) == ["not_finite"]
