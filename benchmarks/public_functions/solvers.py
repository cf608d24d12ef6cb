"""equinox layers, and the solvers of lineax, optimistix and diffrax.

A solver is a function of what its problem depends on. It is asked for an accuracy, and is held to a
thousand times as much, as its derivative is no better. What is declared symmetric or triangular is
made so, as a derivative along other matrices is nobody's.
"""

from collections.abc import Callable, Iterator
from typing import Any

from public_functions.entry import Entry

_ACCURACY = 1e-10
_ALLOWED = 1e-7


def equinox() -> Iterator[Entry]:
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    def entry(name: str, letters: str, make: Callable[[], Any], call: Any = None) -> Entry:
        def layer(*args: Any) -> Any:
            # Made within, so that its arrays have the precision of the day.
            made = make()
            return made(*args) if call is None else call(made, *args)

        return Entry(name=f"eqx.nn.{name}", function=layer, letters=letters)

    yield entry("Linear", "v", lambda: eqx.nn.Linear(3, 2, key=jax.random.key(0)))
    yield entry("MLP", "v", lambda: eqx.nn.MLP(3, 2, 4, 2, key=jax.random.key(0)))
    yield entry(
        "MLP, tanh", "v", lambda: eqx.nn.MLP(3, 2, 4, 2, activation=jnp.tanh, key=jax.random.key(0))
    )
    yield entry("Conv1d", "M", lambda: eqx.nn.Conv1d(3, 2, 2, key=jax.random.key(0)))
    yield entry(
        "ConvTranspose1d", "M", lambda: eqx.nn.ConvTranspose1d(3, 2, 2, key=jax.random.key(0))
    )
    yield entry("AvgPool1d", "M", lambda: eqx.nn.AvgPool1d(2))
    yield entry("MaxPool1d", "M", lambda: eqx.nn.MaxPool1d(2))
    yield entry("AdaptiveAvgPool1d", "M", lambda: eqx.nn.AdaptiveAvgPool1d(2))
    yield entry("LayerNorm", "v", lambda: eqx.nn.LayerNorm(3))
    yield entry("RMSNorm", "v", lambda: eqx.nn.RMSNorm(3))
    yield entry("GroupNorm", "R", lambda: eqx.nn.GroupNorm(2, 4))
    yield entry("GRUCell", "vv", lambda: eqx.nn.GRUCell(3, 3, key=jax.random.key(0)))
    yield entry(
        "LSTMCell",
        "vvv",
        lambda: eqx.nn.LSTMCell(3, 3, key=jax.random.key(0)),
        lambda m, x, h, c: m(x, (h, c)),
    )
    yield entry(
        "MultiheadAttention", "RRR", lambda: eqx.nn.MultiheadAttention(1, 3, key=jax.random.key(0))
    )
    yield entry("PReLU", "v", lambda: eqx.nn.PReLU(0.1))
    yield entry(
        "RotaryPositionalEmbedding",
        "R",
        lambda: eqx.nn.RotaryPositionalEmbedding(2),
        lambda m, x: m(x[:, :2]),
    )
    yield entry(
        "WeightNorm", "v", lambda: eqx.nn.WeightNorm(eqx.nn.Linear(3, 2, key=jax.random.key(0)))
    )
    yield Entry(
        name="eqx.filter_grad of a module",
        function=lambda w, x: (
            eqx.filter_grad(lambda m: jnp.sum(jnp.tanh(m(x))))(
                eqx.tree_at(lambda m: m.weight, eqx.nn.Linear(3, 3, key=jax.random.key(0)), w)
            ).weight
        ),
        letters="Mv",
    )


def lineax() -> Iterator[Entry]:
    import jax.numpy as jnp
    import lineax as lx

    positive = lx.positive_semidefinite_tag

    def entry(
        name: str, letters: str, solver: Any, tags: Any = (), agrees_to: float = 0.0
    ) -> Entry:
        def solve(matrix: Any, vector: Any) -> Any:
            if tags is positive:
                matrix = (matrix + matrix.T) / 2
            elif tags is lx.lower_triangular_tag:
                matrix = jnp.tril(matrix)
            operator = lx.MatrixLinearOperator(matrix, tags)
            return lx.linear_solve(operator, vector, solver).value

        return Entry(
            name=f"lineax.linear_solve, {name}",
            function=solve,
            letters=letters,
            agrees_to=agrees_to,
            normwise=True,
        )

    yield entry("AutoLinearSolver", "Lv", lx.AutoLinearSolver(well_posed=True))
    yield entry("LU", "Lv", lx.LU())
    yield entry("QR", "Lv", lx.QR())
    yield entry("SVD", "Lv", lx.SVD())
    yield entry("Cholesky", "Sv", lx.Cholesky(), positive)
    yield entry("Triangular", "Lv", lx.Triangular(), lx.lower_triangular_tag)
    yield entry("CG", "Sv", lx.CG(_ACCURACY, _ACCURACY), positive, _ALLOWED)
    yield entry("GMRES", "Lv", lx.GMRES(_ACCURACY, _ACCURACY), (), _ALLOWED)
    yield entry("BiCGStab", "Lv", lx.BiCGStab(_ACCURACY, _ACCURACY), (), _ALLOWED)
    yield Entry(
        name="lineax.linear_solve, Diagonal",
        function=lambda d, b: lx.linear_solve(lx.DiagonalLinearOperator(d), b).value,
        letters="wv",
        normwise=True,
    )
    yield Entry(
        name="lineax.linear_solve, Tridiagonal",
        function=lambda d, b: (
            lx.linear_solve(
                lx.TridiagonalLinearOperator(d + 3, jnp.ones(2), jnp.ones(2)), b, lx.Tridiagonal()
            ).value
        ),
        letters="wv",
    )


def optimistix() -> Iterator[Entry]:
    import jax.numpy as jnp
    import optimistix as optx

    def entry(name: str, function: Callable[..., Any]) -> Entry:
        return Entry(name=f"optimistix.{name}", function=function, letters="p", agrees_to=_ALLOWED)

    tolerances = {"rtol": _ACCURACY, "atol": _ACCURACY}
    for name in ("Newton", "Chord"):
        solver = getattr(optx, name)(**tolerances)
        yield entry(
            f"root_find, {name}",
            lambda x, s=solver: (
                optx.root_find(lambda y, a: y**3 + y - a, s, jnp.cbrt(x), x, max_steps=999).value
            ),
        )
    yield entry(
        "root_find, Bisection",
        lambda x: (
            optx.root_find(
                lambda y, a: y**3 + y - a,
                optx.Bisection(**tolerances),
                x / 2,
                x,
                options={"lower": jnp.zeros(()), "upper": 1 + x},
                max_steps=999,
            ).value
        ),
    )
    yield entry(
        "fixed_point",
        lambda x: (
            optx.fixed_point(
                lambda y, a: jnp.cos(y) / (1 + a),
                optx.FixedPointIteration(**tolerances),
                jnp.ones(()),
                x,
                max_steps=999,
            ).value
        ),
    )
    yield entry(
        "minimise, BFGS",
        # To an absolute accuracy, and so are digits counted.
        lambda x: (
            1
            + optx.minimise(
                lambda y, a: (y - a) ** 2 + jnp.cosh(y / (1 + a)),
                optx.BFGS(**tolerances),
                jnp.zeros(()),
                x,
                max_steps=999,
            ).value
        ),
    )
    yield entry(
        "least_squares, LevenbergMarquardt",
        lambda x: (
            optx.least_squares(
                lambda y, a: jnp.stack([y - a, jnp.sin(y) / 2]),
                optx.LevenbergMarquardt(**tolerances),
                x,
                x,
                max_steps=999,
            ).value
        ),
    )


def diffrax() -> Iterator[Entry]:
    import diffrax as dfx
    import jax.numpy as jnp

    def entry(name: str, solver: Any, **options: Any) -> Entry:
        def solve(rate: Any, start: Any) -> Any:
            return dfx.diffeqsolve(
                dfx.ODETerm(lambda t, y, r: -r * jnp.sin(y)),
                solver,
                0.0,
                1.0,
                0.25,
                start,
                args=rate,
                **options,
            ).ys

        # The program's own derivative, exactly, whatever it leaves of the equation's.
        return Entry(name=f"diffrax.diffeqsolve, {name}", function=solve, letters="cc")

    direct = dfx.DirectAdjoint()
    yield entry("Euler", dfx.Euler(), adjoint=direct)
    yield entry("Heun", dfx.Heun(), adjoint=direct)
    yield entry("Tsit5", dfx.Tsit5(), adjoint=direct)
    yield entry("Dopri5", dfx.Dopri5(), adjoint=direct)
    yield entry("Tsit5, RecursiveCheckpointAdjoint", dfx.Tsit5())
    yield entry("Tsit5, ForwardMode", dfx.Tsit5(), adjoint=dfx.ForwardMode())
    yield entry(
        "Tsit5, PIDController",
        dfx.Tsit5(),
        stepsize_controller=dfx.PIDController(rtol=1e-3, atol=1e-3),
        max_steps=32,
    )
    yield Entry(
        name="diffrax.CubicInterpolation",
        function=lambda y, t: dfx.CubicInterpolation(
            jnp.arange(3.0), dfx.backward_hermite_coefficients(jnp.arange(3.0), y)
        ).evaluate(t),
        letters="vu",
    )


PARTS: dict[str, Callable[[], Iterator[Entry]]] = {
    "equinox": equinox,
    "lineax": lineax,
    "optimistix": optimistix,
    "diffrax": diffrax,
}
