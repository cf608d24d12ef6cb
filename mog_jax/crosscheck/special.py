"""Special functions of JAX that are known by what they mean, and not by their programs.

JAX computes some special functions by series and rational approximations. Taken literally these are
other functions, with other derivatives. They are recognised here by their programs, as traced from
JAX itself, so that a user's function of the same name is not mistaken for one; exact evaluation
then takes the function that is meant, and differentiation the derivative of that.

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
from jax.ad_checkpoint import checkpoint_name

from mog_jax.crosscheck.jaxpr_types import ClosedJaxpr, Jaxpr, equations

# A shorter program, such as that of `xlogy`, is the definition of its function.
_SHORT = 15
_MARK = "mog_jax.crosscheck:"


@dataclasses.dataclass(frozen=True, eq=False)
class Special:
    """A special function of JAX.

    Attributes
    ----------
    name : str
        What JAX calls it.
    original : callable
        JAX's own.
    differentiable : callable
        The same, with the derivative of the function that is meant.
    arity : int
        How many real numbers it takes.
    """

    name: str
    original: Callable[..., Any]
    differentiable: Callable[..., Any]
    arity: int = 1


def recognised(parameters: dict[str, Any]) -> Special | None:
    """Find the special function that an equation with a custom rule calls, if it is one."""
    call = parameters.get("call_jaxpr")
    jaxpr = getattr(call, "jaxpr", None)
    if jaxpr is None or "jvp_jaxpr_fun" not in parameters:
        return None
    if jaxpr not in _KNOWN:
        _KNOWN[jaxpr] = _search(jaxpr, parameters.get("num_consts", 0))
    return _KNOWN[jaxpr]


def are_in(program: ClosedJaxpr) -> bool:
    """Whether a program calls a known special function."""
    return any(recognised(equation.params) is not None for equation in equations(program))


_KNOWN: weakref.WeakKeyDictionary[Jaxpr, Special | None] = weakref.WeakKeyDictionary()


def _search(jaxpr: Jaxpr, n_consts: int) -> Special | None:
    for equation in jaxpr.eqns[:1]:
        mark = str(equation.params.get("name", ""))
        if equation.primitive.name == "name" and mark.startswith(_MARK):
            return _MARKED[mark.removeprefix(_MARK)]
    if sum(1 for _ in equations(jaxpr)) < _SHORT:
        return None
    given: list[Any] = [variable.aval for variable in jaxpr.invars[n_consts:]]
    avals = tuple((aval.shape, aval.dtype, aval.weak_type) for aval in given)
    text = str(jaxpr)
    for special in SPECIAL:
        if len(avals) == special.arity and text == _text_of(special, avals):
            return special
    return None


@functools.cache
def _text_of(special: Special, avals: tuple[Any, ...]) -> str:
    if any(dtype.kind != "f" for _, dtype, _ in avals):
        return ""
    shaped: Any = jax.ShapeDtypeStruct
    arguments = [shaped(shape, dtype, weak_type=weak) for shape, dtype, weak in avals]
    wide = any(dtype.itemsize == 8 for _, dtype, _ in avals)
    try:
        with jax.enable_x64(wide):
            closed = jax.make_jaxpr(lambda *values: special.original(*values))(*arguments)
    except (TypeError, ValueError):
        # It does not take arguments like these, so that it is not what is called with them.
        return ""
    calls = [eqn for eqn in closed.jaxpr.eqns if eqn.primitive.name == "custom_jvp_call"]
    return str(calls[0].params["call_jaxpr"].jaxpr) if calls else ""


def _marked(name: str, function: Callable[[Any], Any]) -> Any:
    """Make a function of one number that is recognised by a name within its program."""

    @jax.custom_jvp
    def marked(x: Any) -> Any:
        mark: Any = checkpoint_name
        return function(mark(x, _MARK + name))

    return marked


# What derivatives of special functions consist of: with constants that are no doubles.
_times_pi = _marked("times_pi", lambda x: x * jnp.pi)
_times_pi.defjvps(lambda t, y, x: _times_pi(t))
_times_two_over_root_pi = _marked("times_two_over_root_pi", lambda x: x * 2 / jnp.sqrt(jnp.pi))
_times_two_over_root_pi.defjvps(lambda t, y, x: _times_two_over_root_pi(t))
_normal_hazard = _marked(
    "normal_hazard",
    lambda x: jnp.exp(-0.5 * jnp.square(x) - 0.5 * jnp.log(2 * jnp.pi) - jsp.log_ndtr(x)),
)
_normal_hazard.defjvps(lambda t, h, x: -t * h * (x + h))


@jax.custom_jvp
def _log_ndtr(x: Any) -> Any:
    return jsp.log_ndtr(x)


@jax.custom_jvp
def _expi(x: Any) -> Any:
    return jsp.expi(x)


@jax.custom_jvp
def _exp1(x: Any) -> Any:
    return jsp.exp1(x)


@jax.custom_jvp
def _erfcx(x: Any) -> Any:
    return jsp.erfcx(x)


@jax.custom_jvp
def _sici(x: Any) -> Any:
    return jsp.sici(x)


@jax.custom_jvp
def _fresnel(x: Any) -> Any:
    return jsp.fresnel(x)


_log_ndtr.defjvps(lambda t, y, x: t * _normal_hazard(x))
_expi.defjvps(lambda t, y, x: t * jnp.exp(x) / x)
_exp1.defjvps(lambda t, y, x: -t * jnp.exp(-x) / x)
_erfcx.defjvps(lambda t, y, x: t * (2 * x * _erfcx(x) - _times_two_over_root_pi(jnp.ones_like(x))))


@_sici.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    sinc = jnp.where(x == 0, 1.0, jnp.sin(x) / jnp.where(x == 0, 1.0, x))
    return _sici(x), (t * sinc, t * jnp.cos(x) / x)


@_fresnel.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    angle = _times_pi(jnp.square(x) / 2)
    return _fresnel(x), (t * jnp.sin(angle), t * jnp.cos(angle))


SPECIAL = [
    Special("log_ndtr", jsp.log_ndtr, _log_ndtr),
    Special("expi", jsp.expi, _expi),
    Special("exp1", jsp.exp1, _exp1),
    Special("erfcx", jsp.erfcx, _erfcx),
    Special("sici", jsp.sici, _sici),
    Special("fresnel", jsp.fresnel, _fresnel),
    # Their own rules, for the last argument, are right; the other ones have none.
    Special("hyp1f1", jsp.hyp1f1, jsp.hyp1f1, arity=3),
    Special("hyp2f1", jsp.hyp2f1, jsp.hyp2f1, arity=4),
]
_MARKED = {
    name: Special(name, function, function)
    for name, function in {
        "times_pi": _times_pi,
        "times_two_over_root_pi": _times_two_over_root_pi,
        "normal_hazard": _normal_hazard,
    }.items()
}
