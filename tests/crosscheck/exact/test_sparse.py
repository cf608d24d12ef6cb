"""Products with sparse matrices, and primitives that are evaluated by their implementation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import sparse
from jax.extend.core import Primitive
from jax.interpreters import ad

from mog_jax.crosscheck import crosscheck
from mog_jax.crosscheck.exact import UnknownPrimitive
from tests.crosscheck.exact.oracles import assert_agrees, exactly

PLACES = np.array([[0, 0], [1, 2], [2, 1], [1, 2], [3, 4]])  # one twice, one outside
DATA, VECTOR = np.array([0.5, -2.0, 3.0, 0.25, 7.0]), np.array([1.0, -1.0, 2.0, 0.5])


def by_coordinates(data, vector):
    return sparse.BCOO((data, jnp.asarray(PLACES)), shape=(3, 4)) @ vector


def by_rows(data, vector):
    columns, starts = jnp.array([0, 2, 1, 0, 0]), jnp.array([0, 1, 2, 3])
    return sparse.BCSR((data, columns, starts), shape=(3, 4)) @ vector


def of_each(data, vector):
    return jax.vmap(by_coordinates, in_axes=(0, None))(jnp.stack([data, 2 * data]), vector)


@pytest.mark.parametrize("product", [by_coordinates, by_rows, of_each])
def test_products_are_those_of_jax(product):
    assert_agrees(product, DATA, VECTOR)


def test_gradients_of_products_are_those_of_jax():
    for wrt in (0, 1):
        square = jax.grad(lambda *args: jnp.sum(by_coordinates(*args) ** 2), argnums=wrt)
        assert_agrees(square, DATA, VECTOR)


def test_a_wrong_gradient_of_a_sparse_product_is_found():
    def cost(data):
        return jnp.sum(by_coordinates(data, VECTOR) ** 2)

    report = crosscheck(cost, lambda data: jax.grad(cost)(data) * 1.001, [(DATA,)], order=1)
    assert [finding.kind for finding in report.findings] == ["wrong_formula"]


def primitive(name, implementation):
    made = Primitive(name)
    made.def_impl(implementation)
    made.def_abstract_eval(lambda x: x)
    ad.defjvp(made, lambda t, x: t * made.bind(x))
    return made


def test_a_primitive_of_a_library_is_what_its_implementation_computes():
    exponential = primitive("exponential_of_a_library", lambda x: jnp.exp(x))
    assert_agrees(lambda x: jnp.exp(x) + jnp.exp(exponential.bind(x)), 0.3)
    assert_agrees(jax.grad(exponential.bind), 0.3)


def callback(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), np.float64), x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (callback, "`pure_callback`: it calls Python, which has floats only. Write what it comp"),
        (lambda x: jnp.linalg.eigvals(x * jnp.eye(2)).real, "not symmetric. Use `eigh` or `svd` w"),
        (lambda x: jnp.tan(x + 1j).real, "`tan` of complex numbers. Write it in real and imagina"),
    ],
)
def test_what_is_refused_is_refused_with_a_way_out(function, message):
    with pytest.raises(UnknownPrimitive, match=message) as caught:
        exactly(function, 0.3)
    assert "add a rule with mog_jax.crosscheck.register_primitive(" in str(caught.value)


def test_the_next_number_is_the_number_itself():
    assert_agrees(jnp.nextafter, np.array([0.5, -1.0]), np.array([1.0, 1.0]))


def test_one_that_runs_on_the_machine_alone_is_refused_by_name():
    opaque = primitive("opaque_primitive", lambda x: np.asarray(x) + 1)
    with pytest.raises(UnknownPrimitive, match="no rule for the primitive `opaque_primitive`"):
        exactly(opaque.bind, 0.3)
