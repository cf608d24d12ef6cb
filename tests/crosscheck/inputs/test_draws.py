"""Keys of inputs, and their directions."""

import jax
import numpy as np
import pytest

from mog_jax.crosscheck.inputs.arguments import bytes_of, key_of
from mog_jax.crosscheck.inputs.draws import Draw

A = (np.array([0.0, 1.0]), {"b": np.float64(2.0)})


@pytest.mark.parametrize(
    "other",
    [
        (np.array([-0.0, 1.0]), {"b": np.float64(2.0)}),
        (np.array([0.0, 1.0]), {"b": np.nextafter(2.0, 3.0)}),
        (np.array([0.0, np.nan]), {"b": np.float64(2.0)}),
    ],
    ids=["zero of the other sign", "next number", "nan"],
)
def test_inputs_of_one_shape_are_told_apart_by_every_bit(other):
    # A zero of the other sign is another input of a program: 1 / x and atan2 tell them apart.
    assert key_of(A) == key_of(other)
    assert bytes_of(A) != bytes_of(other)
    assert bytes_of(other) == bytes_of(jax.tree.map(np.copy, other))


def test_inputs_of_other_shapes_types_or_structure_share_no_program():
    others = [
        (np.array([[0.0, 1.0]]), {"b": np.float64(2.0)}),
        (np.array([0.0, 1.0], np.float32), {"b": np.float64(2.0)}),
        (np.array([0.0, 1.0]), {"c": np.float64(2.0)}),
    ]
    for other in others:
        assert key_of(A) != key_of(other)


def test_directions_belong_to_an_input_and_are_of_its_size():
    class Whole:
        """A contract by which every argument is differentiated."""

        @staticmethod
        def differentiated(args):
            return args

    def directions(args, seed=0):
        draw = Draw(args=args, exact=[], narrow=False, key=None)
        return draw.directions(Whole, np.zeros(3), seed)

    args = (np.array([0.0, 1e-9, 7.0, -1e6]),)
    tangent, cotangent = directions(args)
    np.testing.assert_array_equal(directions(tuple(map(np.copy, args)))[0], tangent)
    sizes = np.abs(tangent[0]) / [1.0, 1e-9, 7.0, 1e6]
    assert np.all((sizes >= 0.49) & (sizes <= 1.01))
    assert np.all((np.abs(cotangent) >= 0.5) & (np.abs(cotangent) <= 1))
    seeds = [directions(args, seed)[0][0] / args[0].clip(1) for seed in range(9)]
    assert len({seed.tobytes() for seed in seeds}) > 1
