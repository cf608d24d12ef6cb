"""Recognises special functions of JAX, to evaluate them by their definition, not their program.

JAX computes some special functions by series and rational approximations. Taken literally these are
other functions, with other derivatives. They are recognised here by their programs, as traced from
JAX itself, so that a user's function of the same name is not mistaken for one. Then exact
evaluation uses the function that is approximated, and differentiation its derivative.

Only functions that JAX wraps in a custom rule can be recognised.
"""

import dataclasses
import functools
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from mog_jax.crosscheck.jaxpr_types import ClosedJaxpr, Jaxpr, equations

# A program with fewer equations, such as that of `xlogy`, is the definition of its function.
_SHORT = 15
# Exceptions: primitives that JAX differentiates by the rule only.
_WITHOUT_DERIVATIVE = ("zeta",)
_MARK = "mog_jax.crosscheck:"


@dataclasses.dataclass(frozen=True, eq=False)
class Special:
    """A special function of JAX.

    Attributes
    ----------
    name : str
        Its name in JAX.
    original : callable
        JAX's own function.
    differentiable : callable
        The same, with the derivative of the function that it approximates.
    arity : int
        Number of arguments.
    kind : str
        Type of the arguments: ``"f"`` for real numbers, ``"c"`` for complex ones.
    """

    name: str
    original: Callable[..., Any]
    differentiable: Callable[..., Any]
    arity: int = 1
    kind: str = "f"


def recognised(parameters: dict[str, Any]) -> Special | None:
    """Return the special function that an equation with a custom rule calls; None if it is none."""
    call = parameters.get("call_jaxpr")
    jaxpr = getattr(call, "jaxpr", None)
    if jaxpr is None or "jvp_jaxpr_fun" not in parameters:
        return None
    if jaxpr not in _KNOWN:
        _KNOWN[jaxpr] = _search(jaxpr, parameters.get("num_consts", 0))
    return _KNOWN[jaxpr]


def are_in(program: ClosedJaxpr) -> bool:
    """Return whether a program calls a known special function."""
    return any(recognised(equation.params) is not None for equation in equations(program))


_KNOWN: weakref.WeakKeyDictionary[Jaxpr, Special | None] = weakref.WeakKeyDictionary()


def _search(jaxpr: Jaxpr, n_consts: int) -> Special | None:
    for equation in jaxpr.eqns[:1]:
        mark = str(equation.params.get("name", ""))
        if equation.primitive.name == "name" and mark.startswith(_MARK):
            return _MARKED[mark.removeprefix(_MARK)]
    is_short = sum(1 for _ in equations(jaxpr)) < _SHORT
    given: list[Any] = [variable.aval for variable in jaxpr.invars[n_consts:]]
    avals = tuple((aval.shape, aval.dtype, aval.weak_type) for aval in given)
    text = str(jaxpr)
    for special in SPECIAL:
        if is_short != (special.name in _WITHOUT_DERIVATIVE):
            continue
        if len(avals) == special.arity and text == _text_of(special, avals):
            return special
    return None


@functools.cache
def _text_of(special: Special, avals: tuple[Any, ...]) -> str:
    if any(dtype.kind != special.kind for _, dtype, _ in avals):
        return ""
    shaped: Any = jax.ShapeDtypeStruct
    arguments = [shaped(shape, dtype, weak_type=weak) for shape, dtype, weak in avals]
    wide = any(np.finfo(dtype).bits == 64 for _, dtype, _ in avals)
    try:
        with jax.enable_x64(wide):
            closed = jax.make_jaxpr(lambda *values: special.original(*values))(*arguments)
    except (TypeError, ValueError):
        # It does not take such arguments, so it is not the function that is called.
        return ""
    calls = [eqn for eqn in closed.jaxpr.eqns if eqn.primitive.name == "custom_jvp_call"]
    return str(calls[0].params["call_jaxpr"].jaxpr) if calls else ""


def _meant(original: Callable[..., Any], *slopes: Callable[..., Any]) -> Any:
    """Return the function with the derivatives `slopes`, one for each argument."""
    made: Any = jax.custom_jvp(lambda *args: original(*args))
    made.defjvps(*slopes)
    return made


def _marked(name: str, function: Callable[[Any], Any], slope: Callable[..., Any]) -> Any:
    """Return a function of one number that is recognised by a name within its program."""
    mark: Any = checkpoint_name
    return _meant(lambda x: function(mark(x, _MARK + name)), slope)


# Parts of the derivatives of special functions, whose constants are not doubles.
_MARKS: dict[str, tuple[Callable[[Any], Any], Callable[..., Any]]] = {
    "times_pi": (lambda x: x * jnp.pi, lambda t, y, x: _mark("times_pi", t)),
    "times_two_over_root_pi": (
        lambda x: x * 2 / jnp.sqrt(jnp.pi),
        lambda t, y, x: _mark("times_two_over_root_pi", t),
    ),
    "over_root_two_pi": (
        lambda x: x / jnp.sqrt(2 * jnp.pi),
        lambda t, y, x: _mark("over_root_two_pi", t),
    ),
    "normal_hazard": (
        lambda x: jnp.exp(-0.5 * jnp.square(x) - 0.5 * jnp.log(2 * jnp.pi) - jsp.log_ndtr(x)),
        lambda t, y, x: -t * y * (x + y),
    ),
    "erf_over_root_two": (
        lambda x: jsp.erf(x / jnp.sqrt(2)),
        lambda t, y, x: 2 * t * _mark("over_root_two_pi", jnp.exp(-jnp.square(x) / 2)),
    ),
}
_MARKED = {
    name: Special(name, made, made)
    for name, made in ((name, _marked(name, *parts)) for name, parts in _MARKS.items())
}


def _mark(name: str, x: Any) -> Any:
    return _MARKED[name].differentiable(x)


def _sinc(x: Any) -> Any:
    return jnp.where(x == 0, 1.0, jnp.sin(x) / jnp.where(x == 0, 1.0, x))


def _of_erfcx(t: Any, y: Any, x: Any) -> Any:
    return t * (2 * x * y - _mark("times_two_over_root_pi", jnp.ones_like(x)))


def _of_wofz(t: Any, y: Any, z: Any) -> Any:
    return t * (1j * _mark("times_two_over_root_pi", jnp.ones_like(z.real)) - 2 * z * y)


def _of_fresnel(t: Any, y: Any, x: Any) -> Any:
    angle = _mark("times_pi", jnp.square(x) / 2)
    return t * jnp.sin(angle), t * jnp.cos(angle)


def _of_owens_t(t: Any, y: Any, h: Any, a: Any) -> Any:
    density = _mark("over_root_two_pi", jnp.exp(-jnp.square(h) / 2))
    return -t * density * _mark("erf_over_root_two", a * h) / 2


def _of_owens_t_by_slope(t: Any, y: Any, h: Any, a: Any) -> Any:
    square = 1 + jnp.square(a)
    density = jnp.exp(-jnp.square(h) * square / 2) / square
    return t * _mark("over_root_two_pi", _mark("over_root_two_pi", density))


# From the name of a JAX function to its derivative by each argument: a function of the tangent, the
# value and the arguments. An empty list: JAX's own rule, for the last argument, is exact.
_SLOPES: dict[str, list[Callable[..., Any]]] = {
    "log_ndtr": [lambda t, y, x: t * _mark("normal_hazard", x)],
    "expi": [lambda t, y, x: t * jnp.exp(x) / x],
    "exp1": [lambda t, y, x: -t * jnp.exp(-x) / x],
    "erfcx": [_of_erfcx],
    "dawsn": [lambda t, y, x: t * (1 - 2 * x * y)],
    "wofz": [_of_wofz],
    "sici": [lambda t, y, x: (t * _sinc(x), t * jnp.cos(x) / x)],
    "fresnel": [_of_fresnel],
    "owens_t": [_of_owens_t, _of_owens_t_by_slope],
    "zeta": [
        lambda t, y, s, q: jax.jvp(lambda order: jsp.zeta(order, q), (s,), (t,))[1],
        lambda t, y, s, q: -t * s * _known_by_name("zeta")(s + 1, q),
    ],
    "hyp1f1": [],
    "hyp2f1": [],
}
_ARITY = {"owens_t": 2, "zeta": 2, "hyp1f1": 3, "hyp2f1": 4}
_KIND = {"wofz": "c"}


def _known_by_name(name: str) -> Callable[..., Any]:
    return next(special.differentiable for special in SPECIAL if special.name == name)


def _known(name: str, slopes: list[Callable[..., Any]]) -> Special:
    original = getattr(jsp, name)
    differentiable = _meant(original, *slopes) if slopes else original
    return Special(name, original, differentiable, _ARITY.get(name, 1), _KIND.get(name, "f"))


# Older versions of JAX lack some.
SPECIAL = [_known(name, slopes) for name, slopes in _SLOPES.items() if hasattr(jsp, name)]
