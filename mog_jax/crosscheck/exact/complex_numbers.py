"""Rules for complex numbers inside a real program, as in Fourier transforms.

A complex number is a pair of balls, so that the conventions of `balls` hold for both parts.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import acb, arb

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.balls import ONE, ZERO, Ball, Complex
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.functions import FUNCTIONS
from mog_jax.crosscheck.exact.linear import RULES as LINEAR

Operands = Sequence[Array]
Params = dict[str, Any]


def _part(x: Any, imaginary: bool) -> Ball:
    if isinstance(x, Complex):
        return x.imag if imaginary else x.real
    return ZERO if imaginary else x


def _parts(evaluation: Evaluation, x: Array) -> tuple[Array, Array]:
    real = evaluation.elementwise("real part", lambda v: _part(v, False), x)
    return real, evaluation.elementwise("imaginary part", lambda v: _part(v, True), x)


def _joined(evaluation: Evaluation, real: Array, imag: Array) -> Array:
    return evaluation.elementwise("complex", Complex, real, imag)


def _add(x: Complex, y: Complex) -> Complex:
    return Complex(balls.add(x.real, y.real), balls.add(x.imag, y.imag))


def _subtract(x: Complex, y: Complex) -> Complex:
    return Complex(balls.subtract(x.real, y.real), balls.subtract(x.imag, y.imag))


def _multiply(x: Complex, y: Complex) -> Complex:
    real = balls.subtract(balls.multiply(x.real, y.real), balls.multiply(x.imag, y.imag))
    return Complex(real, balls.add(balls.multiply(x.real, y.imag), balls.multiply(x.imag, y.real)))


def _divide(x: Complex, y: Complex) -> Complex:
    size = balls.add(balls.whole_power(y.real, 2), balls.whole_power(y.imag, 2))
    whole = _multiply(x, Complex(y.real, -y.imag))
    return Complex(balls.divide(whole.real, size), balls.divide(whole.imag, size))


def _power(x: Complex, n: int) -> Complex:
    if n < 0:
        return _divide(Complex(ONE, ZERO), _power(x, -n))
    result = Complex(ONE, ZERO)
    for _ in range(n):
        result = _multiply(result, x)
    return result


def _analytic(function: Callable[[Any], Any]) -> Callable[[Complex], Complex]:
    def applied(x: Complex) -> Complex:
        value = function(acb(x.real, x.imag))
        return Complex(value.real, value.imag)

    return applied


def _size(x: Any) -> Ball:
    if not isinstance(x, Complex):
        return abs(x)
    return FUNCTIONS["sqrt"](balls.add(balls.whole_power(x.real, 2), balls.whole_power(x.imag, 2)))


def _elementwise(name: str, function: Callable[..., Any]) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        whole = [_as_complex(evaluation, x) for x in operands]
        return evaluation.elementwise(("complex", name), function, *whole)

    return rule


def _as_complex(evaluation: Evaluation, x: Array) -> Array:
    return evaluation.elementwise(
        "as complex", lambda v: v if isinstance(v, Complex) else Complex(v, ZERO), x
    )


def _absolute(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    (x,) = operands
    zeros = int(np.count_nonzero(evaluation.decide(Complex.is_zero, _as_complex(evaluation, x))))
    if zeros:
        evaluation.kinks["abs"] += zeros
    return evaluation.elementwise(("complex", "abs"), _size, x)


def _equal(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    def equal(x: Complex, y: Complex) -> bool:
        return balls.order(x.real, y.real) == 0 and balls.order(x.imag, y.imag) == 0

    return evaluation.decide(equal, *[_as_complex(evaluation, x) for x in operands])


def _unequal(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return ~_equal(evaluation, operands, params)


def _convert(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    (x,) = operands
    if x.dtype != object:
        x = evaluation.numbers(x)
    if np.dtype(params["new_dtype"]).kind == "c":
        return _as_complex(evaluation, x)
    return _parts(evaluation, x)[0]


def _integer_power(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    n = int(params["y"])
    return evaluation.elementwise(("complex power", n), lambda x: _power(x, n), operands[0])


def _sum(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    from_axes = _parts(evaluation, operands[0])
    sums = [evaluation.total(_last(part, params["axes"])) for part in from_axes]
    return _joined(evaluation, *sums)


def _last(x: Array, axes: Sequence[int]) -> Array:
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return x.transpose(*kept, *axes).reshape(*[x.shape[axis] for axis in kept], -1)


def _dot_general(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    (a, b), (c, d) = (_parts(evaluation, x) for x in operands)

    def product(x: Array, y: Array) -> Array:
        return np.asarray(LINEAR["dot_general"](evaluation, [x, y], params))

    real = evaluation.elementwise("sub", balls.subtract, product(a, c), product(b, d))
    imag = evaluation.elementwise("add", balls.add, product(a, d), product(b, c), symmetric=True)
    return _joined(evaluation, real, imag)


def _transformed(evaluation: Evaluation, x: Array, axis: int, *, inverse: bool) -> Array:
    """Transform one axis by the definition, which is fast enough for the sizes of tests."""
    x = np.moveaxis(_as_complex(evaluation, x), axis, -1)
    n = x.shape[-1]
    roots = np.empty(n, dtype=object)
    for k in range(n):
        angle = arb(2 * k) / n
        sine = angle.sin_pi()
        roots[k] = Complex(angle.cos_pi(), sine if inverse else -sine)
    weights = roots[np.outer(np.arange(n), np.arange(n)) % n]
    terms = evaluation.elementwise(("complex", "mul"), _multiply, x[..., None, :], weights)
    sums = [evaluation.total(part) for part in _parts(evaluation, terms)]
    if inverse:
        size = evaluation.number(n)
        sums = [evaluation.elementwise("div", balls.divide, s, np.asarray(size)) for s in sums]
    return np.moveaxis(_joined(evaluation, *sums), -1, axis)


def _fft(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    (x,) = operands
    lengths = params["fft_lengths"]
    kind = getattr(params["fft_type"], "name", str(params["fft_type"])).upper()
    kind = {"0": "FFT", "1": "IFFT", "2": "RFFT", "3": "IRFFT"}.get(kind, kind)
    axes = list(range(x.ndim - len(lengths), x.ndim))
    inverse = kind.startswith("I")
    if kind == "IRFFT":
        for axis in axes[:-1]:
            x = _transformed(evaluation, x, axis, inverse=True)
        whole = _mirrored(evaluation, x, lengths[-1])
        return _parts(evaluation, _transformed(evaluation, whole, axes[-1], inverse=True))[0]
    for axis in reversed(axes):
        x = _transformed(evaluation, x, axis, inverse=inverse)
        if kind == "RFFT" and axis == axes[-1]:
            x = x[..., : lengths[-1] // 2 + 1]
    return x


def _mirrored(evaluation: Evaluation, half: Array, n: int) -> Array:
    """Complete the transform of a real array: the second half is the conjugate of the first."""
    half = _as_complex(evaluation, half)
    back = [n - k for k in range(half.shape[-1], n)]
    rest = evaluation.elementwise(("complex", "conj"), _conjugate, half[..., back])
    return np.concatenate([half, rest], axis=-1)


def _conjugate(x: Complex) -> Complex:
    return Complex(x.real, -x.imag)


def _real(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return _parts(evaluation, operands[0])[0]


def _imag(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return _parts(evaluation, operands[0])[1]


def _complex(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return _joined(evaluation, *operands)


RULES: dict[str, Rule] = {
    "complex": _complex,
    "real": _real,
    "imag": _imag,
    "conj": _elementwise("conj", _conjugate),
    "abs": _absolute,
    "neg": _elementwise("neg", lambda x: Complex(-x.real, -x.imag)),
    "add": _elementwise("add", _add),
    "add_any": _elementwise("add", _add),
    "sub": _elementwise("sub", _subtract),
    "mul": _elementwise("mul", _multiply),
    "div": _elementwise("div", _divide),
    "square": _elementwise("square", lambda x: _multiply(x, x)),
    "integer_pow": _integer_power,
    "exp": _elementwise("exp", _analytic(lambda z: z.exp())),
    "log": _elementwise("log", _analytic(lambda z: z.log())),
    "sqrt": _elementwise("sqrt", _analytic(lambda z: z.sqrt())),
    "sin": _elementwise("sin", _analytic(lambda z: z.sin())),
    "cos": _elementwise("cos", _analytic(lambda z: z.cos())),
    "sinh": _elementwise("sinh", _analytic(lambda z: z.sinh())),
    "cosh": _elementwise("cosh", _analytic(lambda z: z.cosh())),
    "tanh": _elementwise("tanh", _analytic(lambda z: z.tanh())),
    "eq": _equal,
    "ne": _unequal,
    "convert_element_type": _convert,
    "reduce_sum": _sum,
    "dot_general": _dot_general,
    "fft": _fft,
}
