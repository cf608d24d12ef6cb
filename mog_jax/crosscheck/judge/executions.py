"""Runs a claim's programs in floating point in several ways, compiled once for each shape.

Every execution gets the same numbers. Each is compared with the exact value, not with another one.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from mog_jax.crosscheck import special
from mog_jax.crosscheck.arrays import Array, unit_roundoff
from mog_jax.crosscheck.findings import Execution, error_line
from mog_jax.crosscheck.inputs.arguments import Signature, in_precision
from mog_jax.crosscheck.inputs.static import can_be_batched
from mog_jax.crosscheck.jaxpr_types import equations
from mog_jax.crosscheck.jaxprs import bind, closed_call, is_float, takes_numbers_apart, trace, uses
from mog_jax.crosscheck.judge.claims import Claim
from mog_jax.crosscheck.judge.conditioning import Scales, input_scales, rounded_constants, scales
from mog_jax.crosscheck.judge.endless import Endless
from mog_jax.crosscheck.judge.quotients import Jacobian
from mog_jax.crosscheck.precisions import in_float32, in_float64

T = TypeVar("T")

FLOAT64, FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)
# Run eagerly, a program compiles these anew each time, unless they are in a jit of their own.
_LOOPS = ("scan", "while", "cond")
# Factorisations with vectors of arbitrary sign, which may be another one in float32.
_OF_EITHER_SIGN = ("eigh", "svd", "qr", "geqrf")


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """The result of an execution: a vector of floats, or the exception that it raised."""

    values: Array | None
    error: BaseException | None = None


@dataclasses.dataclass(frozen=True)
class Misfit:
    """A leaf of the output that has a wrong shape or dtype."""

    entry: str
    got: str
    wanted: str
    precision: Execution


Outcomes = dict[Execution, Outcome]


class Executions:
    """A claim's programs for arguments of one shape; `traced` if its subject was, already.

    Attributes
    ----------
    claim : Claim
    error : BaseException, optional
        The exception that the subject raised when it was traced at this shape.
    misfits : list of Misfit
        Parts of the subject's output that have a wrong shape or dtype.
    reference, subject, function : ClosedJaxpr
        The programs; None for a function that the claim does not have.
    shapes : pytree
        Shapes and dtypes of the output.
    has_special_functions : bool
        Whether the programs call special functions that are evaluated by their definition.
    eager_is_slow : bool
        Whether the subject has loops, which JAX compiles anew each time they are run eagerly.
    """

    def __init__(
        self, claim: Claim, contract: Signature, args: Sequence[Any], traced: Any = None
    ) -> None:
        self.claim = claim
        self._contract = contract
        self.misfits: list[Misfit] = []
        self._endless, self._has_loops = Endless(), False
        self.eager_is_slow = self.has_special_functions = False
        with in_float64():
            with judging_at(args):
                self.reference, self.shapes = trace(claim.reference, *args)
                if claim.model is not None:
                    self.shapes = trace(claim.model, *args)[1]
                self.function = trace(claim.function, *args)[0] if claim.function else None
                if self.function is not None and takes_numbers_apart(self.function):
                    self.function = None
            found, self.error = attempt(lambda: traced or trace(claim.subject, *args))
            if found is not None:
                self.subject, given = found
                if uses(self.subject, "custom_vmap_call"):
                    self.subject = _opened(self.subject, args)
                self.has_special_functions = special.are_in(self.subject) or special.are_in(
                    self.reference
                )
                self.eager_is_slow = any(
                    e.primitive.name in _LOOPS for e in self.subject.jaxpr.eqns
                )
                self._has_loops = uses(self.subject, "while") or uses(self.reference, "while")
                self.misfits = _misfits(self.shapes, given, Execution.FLOAT64)
        self.main = _jitted(claim.subject)
        self._hessian = _quickly(claim.hessian) if claim.hessian else None
        self._autodiff = {name: _quickly(program) for name, program in claim.autodiff.items()}
        self._plain_autodiff = {
            name: _quickly(program) for name, program in claim.plain_autodiff.items()
        }
        self._batched = {
            name: _batched(claim.subject, axes) for name, axes in self._batch_axes(args).items()
        }
        self._compiled = {name: _quickly(program) for name, (program, _) in self._batched.items()}
        # Computed on demand.
        self._scales: dict[Any, Callable[..., Any]] = {}
        self._narrow_misfits: list[Misfit] | None = None
        self._no_float32: str | None = None
        self._narrow_reference: Any = None
        self._narrow_shapes: Any = None
        self._batched_programs: dict[Execution, Any] | None = None
        self._narrow_program: Any = None
        self._constants: dict[str, Any] = {}

    def _batch_axes(self, args: Sequence[Any]) -> dict[Execution, tuple[int | None, ...]]:
        if self.claim.directed:
            return {}
        held = [i for i, arg in enumerate(args) if can_be_batched(arg)]
        wrt = [i for i in self._contract.wrt if i in held]

        def along(batched: Sequence[int]) -> tuple[int | None, ...]:
            return tuple(0 if i in batched else None for i in range(len(args)))

        axes = {Execution.VMAP: along(held)} if held else {}
        if 0 < len(wrt) < len(held):
            axes[Execution.VMAP_OVER_PARAMETERS] = along(wrt)
            axes[Execution.VMAP_OVER_DATA] = along([i for i in held if i not in wrt])
        return axes

    def scales(self, args: Sequence[Any], dtype: Any = FLOAT64) -> Scales:
        """Return the reference's error scales, in units of the roundoff of `dtype`."""
        return self._scales_of(self.reference, args, dtype)

    def own_scales(self, args: Sequence[Any]) -> Scales:
        """Return the error scales of the judged program itself."""
        return self._scales_of(self.subject, args)

    def _scales_of(self, program: Any, args: Sequence[Any], dtype: Any = FLOAT64) -> Scales:
        leaves = jax.tree.leaves(tuple(args))
        key = id(program), str(dtype) if self._is_mixed(program) else ""
        if key not in self._scales:
            self._scales[key] = _quickly(scales(program, dtype))
        with in_float64():
            try:
                found = self._values(Execution.FLOAT64, self._scales[key], leaves)
            except (NotImplementedError, TypeError, ValueError):
                # The program has no reverse derivative: a loop of unknown length.
                self._scales[key] = _quickly(input_scales(program))
                found = self._values(Execution.FLOAT64, self._scales[key], leaves)
            except jax.errors.JaxRuntimeError:
                # The program itself raises: rounding has no part in it.
                sizes = [math.prod(aval.shape) for aval in program.out_avals]
                found = [np.full(sum(sizes), np.inf)] * 3
        return Scales(*(np.asarray(scale, np.float64) for scale in found))

    @staticmethod
    def _is_mixed(program: Any) -> bool:
        """Return whether a program computes in a lower precision in places."""
        avals: list[Any] = [v.aval for eqn in equations(program) for v in eqn.outvars]
        return any(
            is_float(aval) and unit_roundoff(aval.dtype) > unit_roundoff(FLOAT64) for aval in avals
        )

    def constants(self, args: tuple[Any, ...], dtype: Any) -> Array:
        """Return the error of each output that rounded constants of both programs may cause."""
        subject = self.subject if dtype == FLOAT64 else self.narrow_subject(args)
        leaves = jax.tree.leaves(in_precision(args, dtype))
        with in_float64() if dtype == FLOAT64 else in_float32():
            reference = self.reference if dtype == FLOAT64 else self._narrow_reference
            if str(dtype) not in self._constants:
                self._constants[str(dtype)] = [
                    _quickly(rounded_constants(program)) for program in (reference, subject)
                ]
            name = Execution.FLOAT64 if dtype == FLOAT64 else Execution.FLOAT32
            moved = [
                np.asarray(self._values(name, f, leaves), np.float64)
                for f in self._constants[str(dtype)]
            ]
        return np.asarray(sum(moved))

    def arrays(self) -> Array:
        """Return, for each number of the output, the index of its array."""
        sizes = [leaf.size for leaf in jax.tree.leaves(self.shapes)]
        return np.repeat(np.arange(len(sizes)), sizes)

    def entries(self, args: Sequence[Any]) -> list[str]:
        """Return the names of all numbers of the output."""
        paths = jax.tree_util.tree_leaves_with_path(self.shapes)
        if self.claim.like_wrt:
            names = self._contract.wrt_names(args)
        else:
            what = "jacobian" if self.claim.quotients is Jacobian else "value"
            names = [f"{what}{jax.tree_util.keystr(path)}" for path, _ in paths]
        return [
            name + (f"[{', '.join(map(str, index))}]" if index else "")
            for name, (_, leaf) in zip(names, paths, strict=True)
            for index in np.ndindex(leaf.shape)
        ]

    def run_main(self, args: tuple[Any, ...]) -> Outcome:
        """Run the subject under jit in float64."""
        with in_float64():
            return self._outcome(Execution.JIT, self.main, args)

    def run_reference(self, args: tuple[Any, ...]) -> Outcome:
        """Run the reference in float64; this is seldom needed."""
        with in_float64():
            return self._outcome(Execution.FLOAT64, _quickly(self.claim.reference), args)

    def run_narrow_reference(self, args: tuple[Any, ...]) -> Outcome:
        """Run the reference in float32."""
        narrow = in_precision(args, np.float32)
        with in_float32():
            return self._outcome(Execution.FLOAT32, _quickly(self.claim.reference), narrow)

    def reference_raises(self, name: Execution, args: tuple[Any, ...]) -> bool:
        """Whether the reference raises as well when it is run in the same way.

        A batched execution has other data beside the input, for which the function may not be made.
        """
        if name.is_float32:
            return self.run_narrow_reference(args).error is not None
        if name not in self._batched:
            return self.run_reference(args).error is not None
        axes = self._batched[name][1]
        program = _quickly(_batched(self.claim.reference, axes)[0])
        with in_float64():
            return self._outcome(name, program, _batch_of_two(args, axes)).error is not None

    @property
    def has_vectors_of_either_sign(self) -> bool:
        """Whether the programs compute vectors of arbitrary sign, such as eigenvectors."""
        return any(uses(self.subject, name) for name in _OF_EITHER_SIGN)

    def run_hessian(self, args: tuple[Any, ...]) -> Outcome:
        """Run the function differentiated twice by JAX."""
        with in_float64():
            return self._outcome(Execution.HESSIAN, self._hessian, args)

    def run_eagerly(self, args: tuple[Any, ...]) -> Outcome:
        """Run the subject operation by operation in float64."""
        with in_float64():
            return self._outcome(Execution.EAGER, self._eagerly, args)

    def run(self, args: tuple[Any, ...], *, eager: bool = True) -> Outcomes:
        """Run the subject in float64 in all ways, optionally without the eager one."""
        with in_float64():
            outcomes = {Execution.JIT: self._outcome(Execution.JIT, self.main, args)}
            if eager and not self.claim.directed:
                outcomes[Execution.EAGER] = self._outcome(Execution.EAGER, self._eagerly, args)
            for name, (_, axes) in self._batched.items():
                outcome = self._outcome(name, self._compiled[name], _batch_of_two(args, axes))
                if "for vmap support, subclass" not in str(outcome.error):
                    outcomes[name] = outcome
        return outcomes

    def run_autodiff(self, args: tuple[Any, ...]) -> Outcomes:
        """Run automatic differentiation itself, to measure its accuracy."""
        with in_float64():
            return {
                name: self._outcome(name, program, args) for name, program in self._autodiff.items()
            }

    def overflows(self, args: tuple[Any, ...]) -> bool:
        """Return whether a value that float32 can hold is not finite when run in float32."""
        wide = self.run_main(args)
        with in_float32():
            narrow = self._outcome(Execution.FLOAT32, self.main, in_precision(args, np.float32))
        if wide.values is None or narrow.values is None:
            return False
        if self.no_float32(args):
            return False
        within = np.abs(wide.values) <= float(np.finfo(np.float32).max)
        return bool(np.any(within & ~np.isfinite(narrow.values)))

    def run_narrow(self, args: tuple[Any, ...]) -> Outcomes:
        """Run the subject and autodiff in float32."""
        narrow = in_precision(args, np.float32)
        with in_float32():
            outcomes = {Execution.FLOAT32: self._outcome(Execution.FLOAT32, self.main, narrow)}
            for name, program in self._autodiff.items():
                outcomes[name.in_float32] = self._outcome(name.in_float32, program, narrow)
        return outcomes

    def run_narrow_plain(self, args: tuple[Any, ...]) -> Outcomes:
        """Run autodiff of the function without its rules in float32."""
        narrow = in_precision(args, np.float32)
        with in_float32():
            return {
                name: self._outcome(name.in_float32, program, narrow)
                for name, program in self._plain_autodiff.items()
            }

    def no_float32(self, args: tuple[Any, ...]) -> str:
        """Return why float32 cannot be judged by the reference; empty if it can."""
        if self._no_float32 is None and uses(self.reference, "random_bits"):
            self._no_float32 = "it draws random numbers, and other ones in float32"
        if self._no_float32 is None:
            try:
                with in_float32():
                    narrow = in_precision(args, np.float32)
                    self._narrow_reference, self._narrow_shapes = trace(
                        self.claim.reference, *narrow
                    )
                    if self.claim.model is not None:
                        self._narrow_shapes = trace(self.claim.model, *narrow)[1]
                self._no_float32 = ""
            except Exception as error:
                self._no_float32 = error_line(error)
        return self._no_float32

    def narrow_misfits(self, args: tuple[Any, ...]) -> list[Misfit]:
        """Compare shapes and dtypes of the subject in float32 with the reference's."""
        if self._narrow_misfits is None:
            wanted = self._narrow_shapes
            with in_float32():
                given = trace(self.claim.subject, *in_precision(args, np.float32))[1]
            self._narrow_misfits = _misfits(wanted, given, Execution.FLOAT32)
        return self._narrow_misfits

    def batched_subjects(self, args: tuple[Any, ...]) -> dict[Execution, Any]:
        """Return the jaxprs that vmap makes of the subject, by execution."""
        if self._batched_programs is None:
            with in_float64():
                traced = {
                    name: attempt(functools.partial(trace, batched, *_batch_of_two(args, axes)))[0]
                    for name, (batched, axes) in self._batched.items()
                }
                # A program that cannot be batched was reported when it was run.
                self._batched_programs = {n: found[0] for n, found in traced.items() if found}
        return self._batched_programs

    def batched_arguments(
        self, name: Execution, args: tuple[Any, ...], exact: Sequence[Array]
    ) -> list[Array]:
        """Return the flat exact arguments of a batched program."""
        _, axes = self._batched[name]
        batched = [axis for arg, axis in zip(args, axes, strict=True) for _ in jax.tree.leaves(arg)]
        return [
            leaf if axis is None else np.stack([_turned(leaf), leaf])
            for leaf, axis in zip(exact, batched, strict=True)
        ]

    def narrow_subject(self, args: tuple[Any, ...]) -> Any:
        """Return the jaxpr of the subject traced in float32."""
        if self._narrow_program is None:
            with in_float32():
                self._narrow_program = trace(self.claim.subject, *in_precision(args, np.float32))[0]
        return self._narrow_program

    def _outcome(
        self, name: Execution, program: Callable[..., Any] | None, args: Sequence[Any]
    ) -> Outcome:
        assert program is not None

        return self._in_time(name, lambda: Outcome(*attempt(lambda: _flat(program(*args)))))

    def _in_time(self, name: Execution, action: Callable[[], T]) -> T:
        """Run an action; with the deadline if the programs have loops, which may not end."""
        return self._endless.run(name, action) if self._has_loops else action()

    def _values(self, name: Execution, program: Callable[..., Any], leaves: Sequence[Any]) -> Any:
        return self._in_time(name, lambda: jax.tree.map(np.asarray, program(*leaves)))

    def _eagerly(self, *args: Any) -> Any:
        return self.claim.subject(*jax.tree.map(jax.numpy.asarray, args))


def attempt(action: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """Run the user's code: return its result, or any exception except an interrupt."""
    try:
        return action(), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return None, error


@contextlib.contextmanager
def judging_at(args: Sequence[Any]) -> Iterator[None]:
    """Raise exceptions of the block as a `ValueError` that names `function` and the shapes."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            "`function` cannot be differentiated by JAX at an input that `inputs` yields, "
            f"{_outline(tuple(args))}, neither in reverse nor, through loops, in forward mode: "
            f"{error_line(error).rstrip('.')}."
        ) from error


def _opened(closed: Any, args: Sequence[Any]) -> Any:
    """Trace a program once more, with wrapped programs inlined."""
    leaves = jax.tree.leaves(tuple(args))
    return trace(lambda *values: closed_call(closed, values, bind), *leaves)[0]


def _jitted(program: Callable[..., Any]) -> Callable[..., Any]:
    # A new function each time: the cache of jit is keyed by the function, and would keep it alive.
    return jax.jit(lambda *args: program(*args))


def _quickly(program: Callable[..., Any]) -> Callable[..., Any]:
    # Such a program runs once for each input: optimising it takes longer than running it. Only the
    # judged program by itself is compiled as its users compile it.
    return jax.jit(lambda *args: program(*args), compiler_options=_quick_options())


@functools.cache
def _quick_options() -> dict[str, Any]:
    """Return the options, among those that XLA knows, that make it compile about 5 times faster."""
    known: dict[str, Any] = {}
    for option in ({"xla_backend_optimization_level": 0}, {"xla_cpu_use_fusion_emitters": False}):
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            jax.jit(lambda: 0, compiler_options=option)()
            known |= option
    return known


def _batched(
    program: Callable[..., Any], axes: tuple[int | None, ...]
) -> tuple[Callable[..., Any], tuple[int | None, ...]]:
    mapped = jax.vmap(program, in_axes=axes)
    # The draw itself comes second: a program that uses the first of the batch only is found out.
    return lambda *args: jax.tree.map(lambda leaf: leaf[1], mapped(*args)), axes


def _batch_of_two(args: tuple[Any, ...], axes: tuple[int | None, ...]) -> tuple[Any, ...]:
    """Return arguments with a batch of two along `axes`: other data, and the arguments."""
    return tuple(
        arg if axis is None else jax.tree.map(lambda leaf: np.stack([_turned(leaf), leaf]), arg)
        for arg, axis in zip(args, axes, strict=True)
    )


def _turned(leaf: Array) -> Array:
    """Return other data of the same shape."""
    turned = leaf[::-1] if leaf.ndim else leaf
    return turned * 0.875 if leaf.dtype.kind == "f" else turned


def _flat(values: Any) -> Array:
    flat = [np.asarray(leaf, np.float64).reshape(-1) for leaf in jax.tree.leaves(values)]
    return np.concatenate(flat) if flat else np.zeros(0)


def _misfits(wanted: Any, given: Any, precision: Execution) -> list[Misfit]:
    structures: list[Any] = [jax.tree.structure(wanted), jax.tree.structure(given)]
    if structures[0] != structures[1]:
        return [Misfit("the output", _outline(given), _outline(wanted), precision)]
    pairs = zip(jax.tree_util.tree_leaves_with_path(wanted), jax.tree.leaves(given), strict=True)
    return [
        Misfit(f"the output{jax.tree_util.keystr(path)}", _outline(got), _outline(want), precision)
        for (path, want), got in pairs
        if (want.shape, want.dtype) != (got.shape, got.dtype)
    ]


class _Leaf(str):
    __slots__ = ()
    __repr__ = str.__str__


def _outline(tree: Any) -> str:
    """Return a pytree's text with dtypes and shapes as leaves: ``(float64[3], float64[])``."""
    return repr(jax.tree.map(lambda leaf: _Leaf(f"{leaf.dtype}{list(leaf.shape)}"), tree))
