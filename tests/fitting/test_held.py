"""What is fixed by name becomes a mixture of what is held, NaN where free."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mog_jax.fitting.held import read_held
from mog_jax.parameters import PARAMETERS

# As many weights as means and deviations; of each dataset its own, or one for all.
ONE = st.floats(0.01, 0.99) | st.just(np.nan)
B = 3


@given(
    st.dictionaries(st.sampled_from(PARAMETERS), ONE | st.lists(ONE, min_size=B, max_size=B)),
)
def test_each_parameter_is_where_its_name_says(fixed):
    if {"weight_1", "weight_2"} <= set(fixed):
        del fixed["weight_2"]
    held = read_held(fixed, B, equal_variances=False)
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
