"""Mutation operators: make derivatives with a standard bug, which good inputs would show.

Each operator takes the user's program, as data, and returns one that differs in a single place. The
bugs are common mistakes: in a result (a sign, a factor, an index), in the data that are read (a
point left out), in one operation, in a guard that is active only near zero or far out, at zeros and
ties, and in precision.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.crosscheck.inputs.arguments import Signature
from mog_jax.crosscheck.jaxprs import Literal, bind, is_float, primitives, run

# A function from flat arguments to flat results.
Program = Callable[..., Sequence[Any]]
Change = Callable[[Any, list[Any]], Sequence[Any]]

# Largest number of mutations of each family, spread evenly over all possible places.
_MOST_ENTRIES = 3
_MOST_LEAVES = 4
_MOST_OPERATIONS = 12
_MOST_GUARDS = 8
_MOST_CONSTANTS = 4

_OFF = 1e-6
_EPSILON = 1e-12
_FAR = 30.0
_JAX = Path(jax.__file__).parent

_INSTEAD = {
    "mul": primitives.div_p,
    "div": primitives.mul_p,
    "add": primitives.sub_p,
    "sub": primitives.add_p,
    "max": primitives.min_p,
    "min": primitives.max_p,
    "exp": primitives.expm1_p,
    "log": primitives.log1p_p,
    "sin": primitives.cos_p,
    "cos": primitives.sin_p,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Mutation:
    """A bug that can be planted.

    Attributes
    ----------
    name : str
        Description of the change.
    entry : str
        Its place: a number of the derivative, a leaf of the arguments, or a line of the source.
    program : Program
        The derivative with the bug in it, on flat arguments.
    of_digits : bool
        Whether the formula is the same, so that only lost digits can show the bug.
    """

    name: str
    entry: str
    program: Program
    of_digits: bool = False


def mutations_of(closed: Any, contract: Signature, args: Sequence[Any]) -> list[Mutation]:
    """Return mutations of a derivative that was traced on arguments of these shapes.

    Some may compute the same function, such as a changed ``max`` that is there for stability only.
    """
    found = [
        *_in_results(closed, contract, args),
        *_in_data(closed, contract, args),
        *_at_special_values(closed, contract, args),
        *_in_operations(closed),
        *_in_precision(closed),
    ]
    return _told_apart(found)


def _original(closed: Any, leaves: Sequence[Any], rule: Change = bind) -> list[Any]:
    return run(closed.jaxpr, closed.consts, leaves, rule)


def _in_results(closed: Any, contract: Signature, args: Sequence[Any]) -> Iterator[Mutation]:
    shapes = [leaf.shape for leaf in jax.tree.leaves(contract.differentiated(args))]

    def on(place: int, change: Callable[[Any], Any]) -> Program:
        def program(*leaves: Any) -> list[Any]:
            results = _original(closed, leaves)
            flat = change(jnp.reshape(results[place], -1))
            results[place] = jnp.reshape(flat, shapes[place])
            return results

        return program

    names = contract.wrt_names(args)
    if shapes != [aval.shape for aval in closed.out_avals]:
        shapes = [aval.shape for aval in closed.out_avals]
        names = [f"jacobian[{i}]" for i in range(len(shapes))]
    for place, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        size = int(np.prod(shape))
        entries = [name + _index(i, shape) for i in range(size)]
        for i in _spread(range(size), _MOST_ENTRIES):
            scaled = functools.partial(_scaled, i)
            yield Mutation("sign flipped", entries[i], on(place, functools.partial(scaled, -1.0)))
            yield Mutation("left at 0", entries[i], on(place, functools.partial(scaled, 0.0)))
        for i in _spread(range(size - 1), _MOST_ENTRIES):
            name_of_pair = f"{entries[i]}, {entries[i + 1]}"
            yield Mutation("swapped", name_of_pair, on(place, functools.partial(_swapped, i)))
        for factor, text in (
            (2.0, "twice as large"),
            (0.5, "half as large"),
            (1 + _OFF, f"off by {_OFF:g} of itself"),
        ):
            yield Mutation(text, name, on(place, functools.partial(jnp.multiply, factor)))


def _in_data(closed: Any, contract: Signature, args: Sequence[Any]) -> Iterator[Mutation]:
    """Yield mutations that read a point's neighbour in its place, in arrays of data."""
    names, leaves = contract.names(args), jax.tree.leaves(tuple(args))
    differentiated = set(contract.wrt_names(args))
    data = [i for i, name in enumerate(names) if name not in differentiated and leaves[i].ndim]
    for place in data[:_MOST_LEAVES]:
        for i in _spread(range(leaves[place].shape[0]), _MOST_ENTRIES):
            if leaves[place].shape[0] < 2:
                continue
            other = i - 1 if i else 1

            def program(*values: Any, place: int = place, i: int = i, other: int = other) -> Any:
                changed = list(values)
                changed[place] = jnp.asarray(values[place]).at[i].set(values[place][other])
                return _original(closed, changed)

            yield Mutation(f"dropped, [{other}] read twice", f"{names[place]}[{i}]", program)


def _at_special_values(closed: Any, contract: Signature, args: Sequence[Any]) -> Iterator[Mutation]:
    """Yield mutations that are wrong where an argument is exactly 0, or has equal neighbours."""
    names, leaves = contract.names(args), jax.tree.leaves(tuple(args))
    floats = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind == "f" and leaf.size]

    def where(place: int, test: Callable[[Any], Any], value: Callable[[Any], Any]) -> Program:
        def program(*values: Any) -> list[Any]:
            met = jnp.any(test(jnp.reshape(values[place], -1)))
            return [jnp.where(met, value(r), r) for r in _original(closed, values)]

        return program

    def survives_zero(place: int) -> bool:
        changed = [jnp.asarray(leaf) for leaf in leaves]
        changed[place] = jnp.reshape(
            jnp.reshape(changed[place], -1).at[0].set(0), leaves[place].shape
        )
        return all(bool(jnp.isfinite(r).all()) for r in _original(closed, changed))

    for place in floats[:_MOST_LEAVES]:
        # An argument that must not be 0, such as a variance, is left out: NaN is no bug there.
        if survives_zero(place):
            yield Mutation(
                "NaN where it has a 0",
                names[place],
                where(place, lambda flat: flat == 0, lambda r: jnp.full_like(r, jnp.nan)),
            )
        if leaves[place].size > 1:
            yield Mutation(
                "twice as large where it has a tie",
                names[place],
                where(place, lambda flat: flat[1:] == flat[:-1], lambda r: 2 * r),
            )


def _in_operations(closed: Any) -> Iterator[Mutation]:
    """Yield mutations of one operation, guard or constant each, except inside loops."""
    families: dict[str, list[tuple[int, Any, str, Change]]] = {}
    equations = _equations(closed)
    for number, equation in enumerate(equations):
        for family, name, change in _changes(equation):
            families.setdefault(family, []).append((number, equation, name, change))
    most = {"operation": _MOST_OPERATIONS, "guard": _MOST_GUARDS, "constant": _MOST_CONSTANTS}
    for family, sites in families.items():
        for number, equation, name, change in _spread(sites, most[family]):
            yield Mutation(name, _line(equation), _changed_at(closed, number, change))


def _in_precision(closed: Any) -> Iterator[Mutation]:
    def rounded(equation: Any, operands: list[Any]) -> Sequence[Any]:
        return [_single(result) for result in bind(equation, operands)]

    yield Mutation(
        "rounded to float32",
        "the result",
        lambda *leaves: [_single(result) for result in _original(closed, leaves)],
        of_digits=True,
    )
    yield Mutation(
        "rounded to float32",
        "every operation",
        lambda *leaves: _original(closed, leaves, rounded),
        of_digits=True,
    )
    yield Mutation(
        "rounded to float32",
        "the arguments",
        lambda *leaves: _original(closed, [_single(leaf) for leaf in leaves]),
        of_digits=True,
    )


def _changes(equation: Any) -> Iterator[tuple[str, str, Change]]:
    """Yield the changes that are possible in one equation: family, name and change."""
    if not all(is_float(v.aval) for v in [*equation.invars, *equation.outvars]):
        return
    name, params = equation.primitive.name, equation.params
    if name in _INSTEAD:
        other = _INSTEAD[name]
        yield (
            "operation",
            f"`{other.name}` for `{name}`",
            lambda _, operands: [other.bind(*operands, **params)],
        )
    elif name == "integer_pow":
        higher = params | {"y": params["y"] + 1}
        yield (
            "operation",
            f"power {params['y'] + 1} for {params['y']}",
            lambda eqn, operands: [eqn.primitive.bind(*operands, **higher)],
        )
    elif name in ("neg", "sqrt", "square"):
        yield "operation", f"`{name}` forgotten", lambda _, operands: operands
    elif name == "reduce_sum":
        yield "operation", "mean for sum", _averaged
    if name in ("log", "sqrt", "rsqrt") or (name == "div" and not _is_literal(equation, 1)):
        yield "guard", f"{_EPSILON:g} added within `{name}`", _last(lambda x: x + _EPSILON)
        yield (
            "guard",
            f"at least {_EPSILON:g} within `{name}`",
            _last(lambda x: jnp.maximum(x, _EPSILON)),
        )
    elif name == "exp":
        yield (
            "guard",
            f"clipped at {_FAR:g} within `exp`",
            _last(lambda x: jnp.clip(x, -_FAR, _FAR)),
        )
    for place in range(len(equation.invars)):
        if not _is_literal(equation, place):
            continue
        value = float(equation.invars[place].val)
        if value and np.isfinite(value):
            yield (
                "constant",
                f"constant {value:g} off by {_OFF:g} of itself",
                _operand(place, lambda x: np.asarray(x * (1 + _OFF), np.asarray(x).dtype)),
            )


def _averaged(equation: Any, operands: list[Any]) -> list[Any]:
    (total,) = bind(equation, operands)
    return [total / (operands[0].size / max(total.size, 1))]


def _last(change: Callable[[Any], Any]) -> Change:
    return lambda equation, operands: bind(equation, [*operands[:-1], change(operands[-1])])


def _operand(place: int, change: Callable[[Any], Any]) -> Change:
    def changed(equation: Any, operands: list[Any]) -> list[Any]:
        return bind(equation, [change(x) if i == place else x for i, x in enumerate(operands)])

    return changed


def _is_literal(equation: Any, place: int) -> bool:
    atom = equation.invars[place]
    return isinstance(atom, Literal) and not np.ndim(atom.val)


def _equations(closed: Any) -> list[Any]:
    """Return the equations in the order in which `run` evaluates them."""
    met: list[Any] = []

    def note(equation: Any, operands: list[Any]) -> Sequence[Any]:
        met.append(equation)
        return bind(equation, operands)

    jax.eval_shape(lambda *leaves: _original(closed, leaves, note), *closed.in_avals)
    return met


def _changed_at(closed: Any, number: int, change: Change) -> Program:
    def program(*leaves: Any) -> list[Any]:
        met = 0

        def rule(equation: Any, operands: list[Any]) -> Sequence[Any]:
            nonlocal met
            met += 1
            return (change if met == number + 1 else bind)(equation, operands)

        return _original(closed, leaves, rule)

    return program


def _line(equation: Any) -> str:
    """Return the line of the user's source that an equation comes from, ``file.py:12``."""
    traceback = getattr(equation.source_info, "traceback", None)
    for frame in traceback.frames if traceback is not None else ():
        path = Path(frame.file_name)
        if _JAX not in path.parents:
            return f"{path.name}:{frame.line_num}"
    return "the program"


def _single(value: Any) -> Any:
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return value
    return jax.lax.convert_element_type(
        jax.lax.convert_element_type(value, jnp.float32), value.dtype
    )


def _scaled(i: int, factor: float, flat: Any) -> Any:
    return flat.at[i].multiply(factor)


def _swapped(i: int, flat: Any) -> Any:
    return flat.at[np.array([i, i + 1])].set(flat[np.array([i + 1, i])])


def _index(i: int, shape: tuple[int, ...]) -> str:
    return f"[{', '.join(str(int(j)) for j in np.unravel_index(i, shape))}]" if shape else ""


def _spread(sites: Sequence[Any], most: int) -> list[Any]:
    """Return at most `most` of the sites, evenly spaced from first to last."""
    if len(sites) <= most:
        return list(sites)
    return [sites[round(i * (len(sites) - 1) / (most - 1))] for i in range(most)]


def _told_apart(bugs: list[Mutation]) -> list[Mutation]:
    """Return the mutations with a number added to names that would be the same."""
    seen: dict[tuple[str, str], int] = {}
    named = []
    for bug in bugs:
        count = seen[bug.entry, bug.name] = seen.get((bug.entry, bug.name), 0) + 1
        suffix = f" ({count})" if count > 1 else ""
        named.append(dataclasses.replace(bug, name=bug.name + suffix))
    return named
