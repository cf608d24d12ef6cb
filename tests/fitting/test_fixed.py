"""`read_fixed`: fixed values by name or as a mixture become a mixture, NaN where free."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import Mixture
from mog_jax.fitting.data.fixed import read_fixed
from mog_jax.parameter_names import PARAMETERS

# As many weights as means and deviations; of each dataset its own, or one for all.
ONE = st.floats(0.01, 0.99) | st.just(np.nan)
B = 3


@given(
    st.dictionaries(st.sampled_from(PARAMETERS), ONE | st.lists(ONE, min_size=B, max_size=B)),
)
def test_each_parameter_is_where_its_name_says(fixed):
    if {"weight_1", "weight_2"} <= set(fixed):
        del fixed["weight_2"]
    held = read_fixed(fixed, B, equal_variances=False)
    found = {
        f"{kind}_{k + 1}": np.asarray(field)[:, k]
        for kind, field in (
            ("weight", held.weights),
            ("mean", held.means),
            ("sd", np.sqrt(held.variances)),
        )
        for k in (0, 1)
    }
    expected = {name: np.broadcast_to(fixed.get(name, np.nan), B) for name in PARAMETERS}
    for here, there in (("weight_1", "weight_2"), ("weight_2", "weight_1")):
        if here in fixed:
            expected[there] = 1 - expected[here]
    for name in PARAMETERS:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


@given(st.integers(0, 1), st.lists(ONE, min_size=3 * B, max_size=3 * B), st.booleans())
def test_a_mixture_holds_what_its_names_would(component, values, alike):
    """A value of one component, for each dataset or one for all."""
    weight, mean, sd = np.reshape(values, (3, B))
    if alike:
        weight, mean, sd = (np.full(B, each[0]) for each in (weight, mean, sd))
    fields = {}
    for name, value in (("weights", weight), ("means", mean), ("variances", np.square(sd))):
        fields[name] = np.full((B, 2), np.nan)
        fields[name][:, component] = value
    shape = (lambda field: field[0]) if alike else (lambda field: field)
    mixture = Mixture(**{name: shape(field) for name, field in fields.items()})
    named = {f"weight_{component + 1}": weight, f"mean_{component + 1}": mean}
    named[f"sd_{component + 1}"] = sd
    one = read_fixed(mixture, B, equal_variances=False)
    other = read_fixed(named, B, equal_variances=False)
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12)
