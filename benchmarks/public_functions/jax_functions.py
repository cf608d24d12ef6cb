"""jax.nn, jax.scipy.special, jax.scipy.stats, jax.numpy.linalg, jax.numpy.fft, jax.lax."""

import functools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special
import jax.scipy.stats
import numpy as np

from public_functions.entry import Entry

# By function, the letters of its arguments. Functions that are not named take what is first here.
_NN = {
    "": "v",
    "dot_product_attention": "RRR",
    "log1mexp": "p",
    "logmeanexp": "v",
    "logsumexp": "v",
}
_SPECIAL = {
    "": "r",
    "beta": "pp",
    "betainc": "ppu",
    "betaln": "pp",
    "boxcox": "pc",
    "boxcox1p": "pc",
    "digamma": "p",
    "ellipe": "u",
    "entr": "p",
    "erfcx": "r",
    "erfinv": "c",
    "exp1": "p",
    "expi": "p",
    "factorial": "p",
    "gamma": "p",
    "gammainc": "pp",
    "gammaincc": "pp",
    "gammaln": "p",
    "loggamma": "p",
    "hyp1f1": "ppc",
    "hyp2f1": "pppu",
    "kl_div": "pp",
    "log_softmax": "v",
    "logit": "u",
    "logsumexp": "v",
    "ndtri": "u",
    "owens_t": "rr",
    "poch": "pp",
    "rel_entr": "pp",
    "softmax": "v",
    "spence": "p",
    "xlog1py": "pp",
    "xlogy": "pp",
    "zeta": "qp",
}
# For each distribution, the letters of x and of its parameters.
_STATS = {
    "bernoulli": "ku",
    "beta": "uppcp",
    "betabinom": "kkpp",
    "binom": "kku",
    "cauchy": "rrp",
    "chi2": "pp",
    "dirichlet": "sw",
    "expon": "prp",
    "gamma": "pprp",
    "gennorm": "rp",
    "geom": "ku",
    "gumbel_l": "rrp",
    "gumbel_r": "rrp",
    "laplace": "rrp",
    "logistic": "rrp",
    "multivariate_normal": "vvS",
    "nbinom": "kKu",
    "norm": "rrp",
    "pareto": "qp",
    "poisson": "kp",
    "t": "rprp",
    "truncnorm": "cccrp",
    "uniform": "urp",
    "vonmises": "rp",
    "wrapcauchy": "ru",
}
_INVERSES = {"ppf": "u", "isf": "u"}
_LINALG = {
    "": "M",
    "cholesky": "S",
    "cross": "vv",
    "eigh": "S",
    "eigvalsh": "S",
    "lstsq": "Rr",
    "matmul": "MM",
    "matrix_power": "M",
    "multi_dot": "MMv",
    "outer": "vv",
    "pinv": "R",
    "qr": "R",
    "solve": "Mv",
    "svd": "R",
    "svdvals": "R",
    "tensordot": "MM",
    "vecdot": "vv",
    "vector_norm": "v",
    "norm": "v",
}


def _public(module: types.ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if not name.startswith("_") and callable(value) and not isinstance(value, type):
            yield name, value


def _entries(
    module: types.ModuleType, letters: Mapping[str, str], prepared: Mapping[str, Any]
) -> Iterator[Entry]:
    for name, function in _public(module):
        if name in prepared and prepared[name] is None:
            continue
        chosen = letters.get(name, letters[""])
        yield Entry(
            name=f"{module.__name__.replace('jax.numpy', 'jnp')}.{name}",
            function=prepared.get(name, function),
            letters=chosen,
            normwise=module is jnp.linalg,
        )


def nn() -> Iterator[Entry]:
    # What is None here gives no float that depends on one, or needs another accelerator.
    prepared: dict[str, Any] = {
        "dot_product_attention": lambda q, k, v: jax.nn.dot_product_attention(
            *(x[:, None, :] for x in (q, k, v))
        ),
        "get_scaled_dot_general_config": None,
        "glu": lambda x: jax.nn.glu(jnp.concatenate([x, x[:1]])),
        "one_hot": None,
        "scaled_dot_general": None,
        "scaled_matmul": None,
    }
    yield from _entries(jax.nn, _NN, prepared)


def special() -> Iterator[Entry]:
    jsp = jax.scipy.special
    prepared: dict[str, Any] = {
        "bernoulli": None,
        "bessel_jn": lambda x: jsp.bessel_jn(x, v=3, n_iter=40),
        "comb": None,
        "expn": None,
        "gammasgn": None,
        "multigammaln": lambda x: jsp.multigammaln(3 + jnp.abs(x), 3),
        "polygamma": lambda x: jsp.polygamma(2, 0.1 + jnp.abs(x)),
        "sph_harm_y": None,
        "wofz": None,
    }
    yield from _entries(jsp, _SPECIAL, prepared)
    yield Entry(name="jax.scipy.special.expn", function=functools.partial(jsp.expn, 2), letters="p")
    yield Entry(
        name="jax.scipy.special.sph_harm_y",
        function=lambda t, p: jnp.real(
            jsp.sph_harm_y(jnp.array([2]), jnp.array([1]), t[None], p[None], n_max=2)
        ),
        letters="uu",
    )
    yield Entry(
        name="jax.scipy.special.wofz",
        function=lambda x, y: jnp.real(jsp.wofz(jax.lax.complex(x, y))),
        letters="rp",
    )


def stats() -> Iterator[Entry]:
    for name, letters in _STATS.items():
        distribution = getattr(jax.scipy.stats, name, None)
        if distribution is None:
            continue
        for method, function in _public(distribution):
            if method not in _METHODS:
                continue
            first = _INVERSES.get(method, letters[0])
            chosen = letters[1:] if method == "entropy" else first + letters[1:]
            yield Entry(name=f"jax.scipy.stats.{name}.{method}", function=function, letters=chosen)
    yield Entry(
        name="jax.scipy.stats.gaussian_kde.logpdf",
        function=lambda data, x: jax.scipy.stats.gaussian_kde(data).logpdf(x[None]),
        letters="vr",
    )
    yield Entry(name="jax.scipy.stats.sem", function=jax.scipy.stats.sem, letters="v")


_METHODS = (
    "cdf", "entropy", "isf", "logcdf", "logpdf", "logpmf", "logsf", "pdf", "pmf", "ppf", "sf",
)  # fmt: skip


def linalg() -> Iterator[Entry]:
    prepared: dict[str, Any] = {
        "eig": None,  # complex outputs
        "eigvals": None,
        "lstsq": lambda a, b: jnp.linalg.lstsq(a, a[:, 0] + b)[0],
        "matrix_power": lambda a: jnp.linalg.matrix_power(a, 3),
        "matrix_rank": None,
        "multi_dot": lambda a, b, c: jnp.linalg.multi_dot([a, b, c]),
        "svd": lambda a: jnp.linalg.svd(a, full_matrices=False),
        "tensorinv": lambda a: jnp.linalg.tensorinv(a, ind=1),
        "tensorsolve": lambda a: jnp.linalg.tensorsolve(a, a[0]),
    }
    yield from _entries(jnp.linalg, _LINALG, prepared)


def fft() -> Iterator[Entry]:
    def real_part(function: Callable[..., Any]) -> Callable[..., Any]:
        def parts(x: Any) -> Any:
            y = function(x)
            return (jnp.real(y), jnp.imag(y)) if jnp.iscomplexobj(y) else y

        return parts

    for name, function in _public(jnp.fft):
        if name.endswith("freq"):
            continue
        two = "2" in name or name.endswith("n")
        yield Entry(
            name=f"jnp.fft.{name}",
            function=real_part(function),
            letters="M" if two else "v",
            normwise=True,
        )


def lax() -> Iterator[Entry]:
    def entry(name: str, letters: str, function: Callable[..., Any]) -> Entry:
        return Entry(name=f"jax.lax.{name}", function=function, letters=letters)

    def newton(x: Any) -> Any:
        def solve(f: Any, start: Any) -> Any:
            return jax.lax.fori_loop(0, 60, lambda _, y: y - f(y) / jax.grad(f)(y), start)

        return jax.lax.custom_root(
            lambda y: y**3 + y - x, jnp.zeros_like(x), solve, lambda g, y: y / g(jnp.ones_like(y))
        )

    yield entry("scan", "v", lambda x: jax.lax.scan(lambda c, a: (c * a, c + a), 1.0, x))
    yield entry(
        "scan, reverse", "v", lambda x: jax.lax.scan(lambda c, a: (c - a, c), 0.0, x, reverse=True)
    )
    yield entry("fori_loop", "r", lambda x: jax.lax.fori_loop(0, 3, lambda i, y: jnp.sin(y + i), x))
    yield entry(
        "while_loop", "p", lambda x: jax.lax.while_loop(lambda y: y < 9, lambda y: 2 * y, x)
    )
    yield entry("cond", "r", lambda x: jax.lax.cond(x > 0, jnp.sin, jnp.cos, x))
    yield entry(
        "switch", "kr", lambda i, x: jax.lax.switch(i % 3, [jnp.sin, jnp.exp, lambda y: y * y], x)
    )
    yield entry("map", "v", lambda x: jax.lax.map(jnp.tanh, x))
    yield entry("associative_scan", "v", lambda x: jax.lax.associative_scan(jnp.multiply, x))
    yield entry("cumsum", "v", jax.lax.cumsum)
    yield entry("cumprod", "v", jax.lax.cumprod)
    yield entry("cummax", "v", jax.lax.cummax)
    yield entry("cummin", "v", jax.lax.cummin)
    yield entry("cumlogsumexp", "v", jax.lax.cumlogsumexp)
    yield entry("select", "v", lambda x: jax.lax.select(x > 0, jnp.exp(-x), x))
    yield entry("custom_root", "r", newton)
    yield entry(
        "custom_linear_solve",
        "Sv",
        lambda a, b: jax.lax.custom_linear_solve(
            lambda x: a @ x, b, lambda _, y: jnp.linalg.solve(a, y), symmetric=True
        ),
    )
    yield entry("reduce_window, max", "M", lambda x: _window(x, -jnp.inf, jax.lax.max))
    yield entry("reduce_window, add", "M", lambda x: _window(x, 0.0, jax.lax.add))
    yield entry(
        "conv_general_dilated",
        "MM",
        lambda x, k: jax.lax.conv(x[None, None], k[None, None, :2, :2], (1, 1), "VALID"),
    )
    yield entry("dynamic_slice", "vk", lambda x, i: jax.lax.dynamic_slice(x, (i % 2,), (2,)))
    yield entry(
        "dynamic_update_slice",
        "vrk",
        lambda x, y, i: jax.lax.dynamic_update_slice(x, y[None], (i,)),
    )
    yield entry("gather", "v", lambda x: x[np.array([2, 0, 2])])
    yield entry("scatter_add", "vv", lambda x, y: x.at[np.array([2, 0, 2])].add(y))
    yield entry("scatter_mul", "vv", lambda x, y: x.at[np.array([1, 0, 2])].multiply(y))
    yield entry("sort", "v", jax.lax.sort)
    yield entry("top_k", "v", lambda x: jax.lax.top_k(x, 2)[0])
    yield entry("reduce_prod", "v", jnp.prod)
    yield entry("integer_pow", "r", lambda x: jax.lax.integer_pow(x, -3))


def _doubled(x: Any) -> Any:
    return jax.lax.while_loop(lambda y: y < 9, lambda y: 2 * y, x)


def _updated(x: Any, y: Any, i: Any) -> Any:
    return jax.lax.dynamic_update_slice(x, y[None], (i,))


def _window(x: Any, start: float, join: Any) -> Any:
    return jax.lax.reduce_window(x, start, join, (2, 2), (1, 1), "VALID")


PARTS: dict[str, Callable[[], Iterator[Entry]]] = {
    "jax.nn": nn,
    "jax.scipy.special": special,
    "jax.scipy.stats": stats,
    "jnp.linalg": linalg,
    "jnp.fft": fft,
    "jax.lax": lax,
}
